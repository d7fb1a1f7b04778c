"""What passes from a browser through the server and the gateway to the streaming host, and back."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from moonlight_jupyter.traffic import relayed

from .conftest import Call
from .host import CHUNK, GREETING, PAGE
from .node import Node
from .raw import Answer
from .sessions import TOKEN, Records

SECRETS = {
    "Authorization": "token {token}",
    "Cookie": "username-localhost=secret-cookie; _xsrf=secret-xsrf; jupyterhub-session-id=secret-id",
    "X-XSRFToken": "secret-xsrf",
    "Referer": "http://127.0.0.1/lab?token=secret-referer",
    "X-Forwarded-User": "secret-user",
    "X-Forwarded-Access-Token": "secret-access",
    "Proxy-Authorization": "Basic secret-proxy",
}


@pytest.fixture
def get(call: Call, recorded: str) -> Call:
    """A request to the desktop of the recorded session."""

    async def get(method: str, path: str | bytes, **more: Any) -> Answer:
        path = path.encode() if isinstance(path, str) else path
        return await call(method, f"/moonlight/sessions/{recorded}/desktop".encode() + path, **more)

    return get


def heads(node: Node) -> str:
    return b"\n".join(node.host.heads).decode("latin-1")


class TestWhatTheHostSees:
    async def test_no_login_of_the_portal(
        self, get: Call, node: Node, jp_auth_header: dict[str, str]
    ) -> None:
        token = jp_auth_header["Authorization"].split()[1]
        secrets = {name: value.format(token=token) for name, value in SECRETS.items()}
        # A proxy may be told to drop more; it must never be told to keep.
        secrets["Connection"] = "close, X-Hop"
        secrets["X-Hop"] = "secret-hop"
        for method in ("GET", "POST"):
            answer = await get(method, "/", headers=secrets, body=b"x" if method == "POST" else b"")
            assert answer.status == 200
        seen = heads(node).lower()
        assert len(node.host.heads) == 2
        for word in ("secret", token, "authorization", "cookie", "xsrf", "referer", TOKEN, "x-hop"):
            assert word.lower() not in seen, word

    async def test_no_token_of_the_portal_in_the_query(
        self, get: Call, node: Node, jp_auth_header: dict[str, str]
    ) -> None:
        token = jp_auth_header["Authorization"].split()[1]
        for login in (True, False):  # also as the only proof of who it is
            for name in ("token", "t%6fken", "%74oken"):
                answer = await get("GET", f"/?a=1&{name}={token}&b=2", login=login)
                assert answer.status == 200
        seen = heads(node)
        assert seen.count("GET /?a=1&b=2 HTTP/1.1") == 6
        assert token not in seen

    async def test_the_path_and_query_as_they_were_sent(self, get: Call, node: Node) -> None:
        for target in (
            *("/", "/a/b.js", "/a%2Fb", "/desktop/desktop", "/%E2%82%AC?q=%20&q=+&empty=&x"),
            *(
                "/..%2f..",
                "//double",
                "/?mytoken=1&token_x=2",
                "/?redirect=http://x/?y#",
                "/~;,!$&'()*@:",
            ),
        ):
            assert (await get("GET", target)).status == 200, target
            assert f"GET {target} HTTP/1.1\r\n".encode() in node.host.heads[-1] + b"\r\n", target

    async def test_bytes_that_are_no_text_encoded(self, get: Call, node: Node) -> None:
        assert (await get("GET", "/é?ü=ß".encode())).status == 200
        assert b"GET /%C3%A9?%C3%BC=%C3%9F HTTP/1.1" in node.host.heads[-1]

    @pytest.mark.parametrize("jp_base_url", ["/desktop/", "/user/desktop-1/", "/", "/a/b/c/d/"])
    async def test_the_same_below_every_base_url(self, get: Call, node: Node) -> None:
        assert (await get("GET", "/desktop/x")).status == 200
        assert node.host.heads[-1].startswith(b"GET /desktop/x HTTP/1.1\r\n")

    async def test_its_own_name_for_the_signaling(
        self, call: Call, node: Node, recorded: str, jp_auth_header: dict[str, str]
    ) -> None:
        token = jp_auth_header["Authorization"].split()[1]
        path = f"/moonlight/signaling?session={recorded}&token={token}&room=7"
        assert (await call("GET", path)).status == 200
        assert node.host.heads[-1].startswith(b"GET /signaling-of-the-host?room=7 HTTP/1.1\r\n")


class TestWhatTheBrowserSees:
    async def test_the_page(self, get: Call) -> None:
        answer = await get("GET", "/")
        assert (answer.status, answer.body, answer.header("content-type")) == (
            200,
            PAGE,
            "text/html",
        )

    async def test_head_has_no_body(self, get: Call, node: Node) -> None:
        answer = await get("HEAD", "/download?n=12345")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("content-length") == "12345"
        assert node.host.heads[-1].startswith(b"HEAD ")

    @pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 418, 500, 503, 599])
    async def test_every_status(self, get: Call, status: int) -> None:
        answer = await get("GET", f"/status?n={status}")
        assert (answer.status, answer.body, answer.whole) == (status, b"", True)

    async def test_redirects_as_they_are(self, get: Call) -> None:
        answer = await get("GET", "/redirect")
        assert (answer.status, answer.header("location")) == (302, "./elsewhere/?x=1")

    async def test_a_range(self, get: Call) -> None:
        answer = await get("GET", "/range", headers={"Range": "bytes=10-19"})
        assert (answer.status, answer.body) == (206, CHUNK[10:20])
        assert answer.header("content-range") == f"bytes 10-19/{len(CHUNK)}"

    async def test_all_headers_but_cookies(self, get: Call) -> None:
        answer = await get("GET", "/headers")
        assert answer.header("link") == "</a>; rel=preload, </b>; rel=preload"
        assert answer.header("content-type") == "text/plain"
        assert "stolen" not in str(answer.headers)

    async def test_no_other_site_may_frame_it(self, get: Call) -> None:
        policies = (await get("GET", "/headers")).header("content-security-policy")
        assert "frame-ancestors 'self'" in policies and "img-src 'self'" in policies

    async def test_the_address_without_its_slash_leads_to_it(
        self, call: Call, recorded: str, jp_base_url: str
    ) -> None:
        path = f"/moonlight/sessions/{recorded}/desktop"
        answer = await call("GET", path + "?x=1")
        assert answer.status == 302
        assert answer.header("location") == f"{jp_base_url.rstrip('/')}{path}/?x=1"


class TestBodies:
    async def test_an_upload_arrives_whole(self, get: Call) -> None:
        data = CHUNK * 20 + b"end"
        for method in ("POST", "PUT", "PATCH"):
            answer = await get(method, "/upload", body=data)
            assert json.loads(answer.body) == {
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }

    async def test_an_upload_in_chunks_arrives_in_chunks(self, get: Call, node: Node) -> None:
        parts = [b"a" * 10, b"b" * 70_000, b"c"]
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        answer = await get("POST", "/upload", body=body, headers={"Transfer-Encoding": "chunked"})
        assert json.loads(answer.body)["sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()
        assert b"transfer-encoding: chunked" in node.host.heads[-1].lower()
        assert b"content-length" not in node.host.heads[-1].lower()

    async def test_a_delete_with_a_body(self, get: Call) -> None:
        headers = {"Content-Length": "3"}
        answer = await get("DELETE", "/upload", body=b"abc", headers=headers)
        assert json.loads(answer.body)["size"] == 3

    async def test_a_download_arrives_whole(self, get: Call) -> None:
        answer = await get("GET", f"/download?n={len(CHUNK) * 20}")
        assert answer.body == CHUNK * 20

    async def test_both_directions_are_counted(self, get: Call) -> None:
        before = relayed.bytes()
        answer = await get("POST", "/upload", body=CHUNK + b"end")
        assert (await get("GET", "/download?n=70000")).status == 200
        assert (await get("HEAD", "/download?n=12345")).status == 200
        passed = {direction: n - before[direction] for direction, n in relayed.bytes().items()}
        assert passed == {
            "from_browser": len(CHUNK) + 3,
            "to_browser": len(answer.body) + 70000,
        }

    @pytest.mark.parametrize("path", ["/broken", "/broken-chunks"])
    async def test_half_an_answer_does_not_look_whole(self, get: Call, path: str) -> None:
        answer = await get("GET", path)
        assert (answer.status, answer.body, answer.whole) == (200, b"0123456789", False)

    async def test_many_at_the_same_time(self, get: Call) -> None:
        sizes = [n * 1000 for n in range(1, 41)]
        answers = await asyncio.gather(*[get("GET", f"/download?n={size}") for size in sizes])
        assert [len(answer.body) for answer in answers] == sizes


class TestWebSockets:
    async def test_messages_pass_both_ways(self, jp_ws_fetch: Any, recorded: str) -> None:
        path = ["moonlight", "sessions", recorded, "desktop", "echo"]
        socket = await jp_ws_fetch(*path, headers={"Cookie": "x=secret-cookie"})
        assert await socket.read_message() == GREETING
        before = relayed.bytes()
        for message in (b"", b"x", b"y" * 126, CHUNK[:65_000]):
            await socket.write_message(message, binary=True)
            assert await socket.read_message() == message
        now = relayed.bytes()  # while it is open
        assert all(now[way] - before[way] > 65_000 for way in now)
        socket.close()

    async def test_by_a_socket_where_the_node_is_this_machine(
        self, jp_ws_fetch: Any, call: Call, records: Records, node: Node
    ) -> None:
        here = records.add(gateway=node.near)
        answer = await call("GET", f"/moonlight/sessions/{here}/desktop/")
        assert (answer.status, answer.body) == (200, PAGE)
        socket = await jp_ws_fetch("moonlight", "sessions", here, "desktop", "echo")
        assert await socket.read_message() == GREETING
        await socket.write_message(CHUNK[:65_000], binary=True)
        assert await socket.read_message() == CHUNK[:65_000]
        socket.close()

    async def test_by_the_portals_name_for_signaling(
        self, jp_ws_fetch: Any, node: Node, recorded: str, jp_auth_header: dict[str, str]
    ) -> None:
        token = jp_auth_header["Authorization"].split()[1]
        params = {"session": recorded, "token": token}
        socket = await jp_ws_fetch("moonlight", "signaling", params=params)
        assert await socket.read_message() == GREETING
        socket.close()
        assert node.host.heads[-1].startswith(b"GET /signaling-of-the-host HTTP/1.1\r\n")
        assert token not in heads(node)

    async def test_no_login_of_the_portal_reaches_the_host(
        self, jp_ws_fetch: Any, node: Node, recorded: str, jp_auth_header: dict[str, str]
    ) -> None:
        token = jp_auth_header["Authorization"].split()[1]
        secrets = {n: v.format(token=token) for n, v in SECRETS.items() if n != "Authorization"}
        path = ["moonlight", "sessions", recorded, "desktop", "echo"]
        socket = await jp_ws_fetch(*path, headers=secrets, params={"token": token})
        await socket.read_message()
        socket.close()
        for word in ("secret", token, TOKEN, "authorization", "cookie"):
            assert word.lower() not in heads(node).lower(), word
