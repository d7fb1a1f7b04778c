"""Who was invited to a desktop, at its gateway: how he gets in, what he gets there, how it ends."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from http.client import IncompleteRead
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.hosts.selkies import SelkiesHost
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.agent.sharing import Guests, Invitations
from moonlight_spawner.agent.sharing.guests import Shown
from moonlight_spawner.relay import headers as h
from moonlight_spawner.relay import pages
from moonlight_spawner.relay.upstream import Target
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.utils import accept_key

from tests.support.waiting import PATIENCE, wait_for

from .gateway_process import SESSION, TOKEN, RunningGateway
from .test_page_token import DOCUMENT, FETCH, FRAME
from .wires import OK, SWITCHED, UPGRADE, Answer, FakeHost, answers, ask, get, headers_of, read_head

SAME = "Sec-Fetch-Site: same-origin\r\n"
PAGE = b"<!doctype html><html><head></head>client</html>"


class Talk:
    """What a host that agrees to every WebSocket is told on each, in the order of their coming."""

    def __init__(self) -> None:
        self.said: list[list[str]] = []

    def __call__(self, connection: socket.socket, head: bytes, rest: bytes) -> None:
        if b"pgrade: websocket" not in head:
            connection.sendall(OK)
            return
        mine: list[str] = []
        self.said.append(mine)
        [key] = [value for name, value in headers_of(head) if name == "sec-websocket-key"]
        agreed = re.sub(rb"(?<=Accept: ).*", accept_key(key).encode() + b"\r", SWITCHED)
        connection.sendall(agreed + b"\x81\x02hi")
        while True:
            while len(rest) >= 6 and (size := rest[1] & 0x7F) + 6 <= len(rest):
                text = bytes(b ^ rest[2 + i % 4] for i, b in enumerate(rest[6 : 6 + size]))
                mine.append(text.decode() if rest[0] == 0x81 else f"<{rest[0]:x}>")
                if rest[0] == 0x88:
                    connection.sendall(b"\x88\x00")
                    return
                rest = rest[6 + size :]
            if not (part := connection.recv(65536)):
                mine.append("<gone>")
                return
            rest += part


@dataclass
class Shared:
    """A gateway whose desktop can be shared; ``do`` runs at it."""

    gateway: RunningGateway
    invitations: Invitations
    owner: str
    end: Callable[[], Awaitable[None]]
    loop: asyncio.AbstractEventLoop
    watching: Callable[[], int]
    known: dict[str, tuple[int, h.Headers, bytes]]

    def do(self, work: Awaitable[Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(_awaited(work), self.loop).result(PATIENCE)

    def control(self, method: str, path: str = "/sharing", body: Any = None) -> tuple[int, Any]:
        answer: tuple[int, Any] = self.do(self.invitations.control(method, path, body))
        return answer

    def invite(self, **asked: Any) -> dict[str, Any]:
        status, made = self.control("POST", body={"role": "view", **asked})
        assert status == 201, made
        return dict(made)

    def join(self, token: str, *more: str) -> Answer:
        body = f"token={token}".encode()
        head = f"POST /node/n1/8/join HTTP/1.1\r\nHost: portal\r\nContent-Length: {len(body)}\r\n"
        return ask(self.gateway, head + "".join(more), body)

    def guest(self, **asked: Any) -> Guest:
        made = self.invite(**asked)
        cookie = self.join(made["token"]).header("set-cookie").split(";")[0]
        page = self.ask(cookie, "/", DOCUMENT).body.decode()
        token = page.split('name="moonlight-page" content="')[1].split('"')[0]
        return Guest(made["id"], cookie, token)

    def ask(self, cookie: str, path: str, *more: str) -> Answer:
        return ask(self.gateway, get(path, f"Cookie: {cookie}\r\n", *more, bearer=False))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


@dataclass
class Guest:
    id: str
    cookie: str
    page: str

    async def open(self, shared: Shared, path: str, token: str | None = None) -> ClientConnection:
        shown = self.page if token is None else token
        return await connect(
            f"ws://127.0.0.1:{shared.gateway.port}{path}",
            additional_headers={"Cookie": self.cookie, "Accept-Language": "en"},
            subprotocols=["moonlight-page", f"moonlight-page.{shown}"],
            ping_interval=None,
        )


@pytest.fixture
def talk(host: FakeHost) -> Talk:
    host.behave = talk = Talk()
    return talk


@pytest.fixture
def shared(host_path: Path, tmp_path: Path) -> Iterator[Shared]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    invitations = Invitations("control")
    target = Target(path=str(host_path))
    known = {"/core.html": (200, [(b"content-type", b"text/html;charset=utf-8")], PAGE)}
    shown = Shown(
        lambda: target,
        known.get,
        lambda path: nullcontext(),
        SelkiesHost.signaling_path,
        SelkiesHost.watching,
        SelkiesHost.watching_page,
        SelkiesHost.watching_files,
    )
    tls, certificate = make_certificate(tmp_path, SESSION)
    door = Door(TOKEN, SESSION)
    owner = door.set_cookie(secure=False).split(b";")[0].decode()
    gateway = Gateway(
        door,
        lambda: target,
        tls,
        plain_http=True,
        guests=Guests(invitations, shown, SESSION),
    )
    asyncio.run_coroutine_threadsafe(gateway.start("127.0.0.1"), loop).result(PATIENCE)
    running = RunningGateway(gateway.port, certificate, 0)
    yield Shared(
        running,
        invitations,
        owner,
        lambda: gateway.end("over"),
        loop,
        lambda: gateway.watching.streams,
        known,
    )
    asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(PATIENCE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(PATIENCE)
    loop.close()


def test_a_link_lets_in_once_and_its_token_is_in_no_log(
    shared: Shared, host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = shared.invite(name="Bob")
    page = ask(shared.gateway, get("/node/n1/8/join", bearer=False))
    assert page.status == 200 and b'action="join"' in page.body
    assert "default-src 'self'" in page.header("content-security-policy")
    assert page.header("referrer-policy") == "same-origin"
    assert page.header("clear-site-data") == '"cache"'
    assert ask(shared.gateway, get(f"/join?{made['id']}", bearer=False)).body == page.body
    assert ask(shared.gateway, get("/join.js", bearer=False)).status == 200
    for wrong in ("", "x", TOKEN, made["id"]):
        assert shared.join(wrong).status == 403
    # Another site's page has a visitor join a desktop of its own owner's, into which he would type.
    assert shared.join(made["token"], "Sec-Fetch-Site: cross-site\r\n").status == 403
    assert shared.join(made["token"], "Origin: https://evil\r\n").status == 403

    joined = shared.join(
        made["token"], "X-Forwarded-Proto: https\r\n", "X-Forwarded-For: 10.0.0.7\r\n"
    )
    cookie = joined.header("set-cookie")
    assert (joined.status, joined.header("location")) == (303, "./")
    assert cookie.endswith("; HttpOnly; SameSite=Strict; Secure") and "ath=" not in cookie
    assert shared.join(made["token"]).status == 403
    [one] = shared.control("GET")[1]["invitations"]
    assert one["joined_at"] and not one["here"] and "token" not in one
    [line] = [text for text in caplog.messages if "joined from" in text]
    assert made["id"] in line and "'Bob', view" in line and "127.0.0.1 (for 10.0.0.7)" in line
    assert made["token"] not in caplog.text and cookie.split("=")[1][:20] not in caplog.text
    assert host.heads == []


def test_of_many_who_bring_one_token_at_once_one_comes_in(shared: Shared) -> None:
    made, ended, of_another = shared.invite(), shared.invite(), "x" * 43
    with ThreadPoolExecutor(8) as some:
        came = list(some.map(lambda _: shared.join(made["token"]).status, range(24)))
    assert sorted(came) == [303] + [403] * 23
    assert shared.control("DELETE", f"/sharing/{ended['id']}")[0] in (200, 204)
    for token in (made["token"], ended["token"], of_another):
        assert shared.join(token).status == 403


def test_an_owner_who_tries_his_link_is_at_his_desktop_and_the_link_still_counts(
    shared: Shared,
) -> None:
    token = shared.invite()["token"]
    tried = shared.ask(shared.owner, "/node/n1/8/join", DOCUMENT)
    assert (tried.status, tried.header("location")) == (303, "./#"), "without what was behind the #"
    assert shared.join(token).status == 303


# What there is at a gateway besides, and spellings that might be taken for what there is.
OTHERS = ["/control/clipboard", "/control/sharing", "/control/status", "/native", "/healthz"]
OTHERS += ["/websocket-check", "/signaling", "/api/files/", "/api/moonlight/sessions", "/login"]
OTHERS += [f"/api/moonlight/sessions/{SESSION}{more}" for more in ("", "/sharing", "/clipboard")]
OTHERS += ["/core.html", "/moonlight/static/index.js", "/src/selkies-core.js", "/desktop", "/x"]
OTHERS += [
    f"/desktop/{path}"
    for path in (
        *(
            "",
            "api/files/",
            "api/screenshot",
            "api/upload",
            "api/tokens",
            "api/sessions",
            "healthz",
        ),
        *("%61pi/files/", "/api/files/", "src/../api/files/", "src/..%2fapi/files/", "API/files/"),
        *("src/", "core.html/", "index.html", "control/clipboard", "api/websockets/x", "signaling"),
    )
]


@pytest.mark.parametrize(
    "more", ["", FETCH, DOCUMENT, FRAME + SAME], ids=["-", "fetch", "go", "frame"]
)
def test_nothing_else_is_a_guests(shared: Shared, host: FakeHost, more: str) -> None:
    guest = shared.guest()
    for path in OTHERS:
        for shown in ("", f"X-Moonlight-Page: {guest.page}\r\n"):
            answer = shared.ask(guest.cookie, path, more, shown)
            assert answer.status in (401, 403), (path, answer.status)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
        for path in ["/", "/desktop/core.html", "/desktop/src/selkies-core.js", *OTHERS]:
            head = f"{method} {path} HTTP/1.1\r\nHost: portal\r\nContent-Length: 0\r\nCookie: "
            head += f"{guest.cookie}\r\nX-Moonlight-Page: {guest.page}\r\n{more}"
            assert ask(shared.gateway, head).status in (401, 403, 405), (method, path)
    upgrade = f"Sec-WebSocket-Protocol: moonlight-page, moonlight-page.{guest.page}\r\n{UPGRADE}"
    for path in [*OTHERS, "/", "/api/websockets", "/desktop/core.html", "/desktop/src/a.js"]:
        assert shared.ask(guest.cookie, path, upgrade).status in (401, 403), path
    assert host.heads == []


def test_the_page_and_the_client_are_his_and_come_with_his_own_token(
    shared: Shared, host: FakeHost
) -> None:
    guest = shared.guest()
    page = shared.ask(guest.cookie, "/node/n1/8/", DOCUMENT)
    assert page.status == 200 and b'src="./desktop/core.html#shared"' in page.body
    assert shared.ask(guest.cookie, "/", FETCH).status == 403, "not for another user's script"
    assert shared.ask(guest.cookie, "/", FRAME + SAME).status == 403
    framed = shared.ask(guest.cookie, "/desktop/core.html", FRAME + SAME)
    assert framed.status == 200 and guest.page.encode() not in framed.body
    assert b'<script src="gate.js"></script>' in framed.body
    for path in ("/gate.js", "/guest.js", "/desktop/gate.js"):
        assert shared.ask(guest.cookie, path).status == 200
    assert host.heads == []
    assert shared.ask(guest.cookie, "/desktop/src/selkies-core.js?token=x").body == b"ok"
    assert host.lines == ["GET /src/selkies-core.js HTTP/1.1"]
    assert guest.cookie.encode() not in host.last and b"cookie" not in host.last.lower()
    other = shared.guest()
    assert other.page != guest.page and other.cookie != guest.cookie


def test_a_host_that_is_away_is_said_of_its_page_and_of_its_files(
    shared: Shared, host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    guest = shared.guest()
    shared.known.clear()  # as with a host whose page is its own to give
    host.behave = answers(b"")
    said = {"core.html": (FRAME + SAME, "html"), "src/a.js": (FETCH, "json_error")}
    for path, (more, form) in said.items():
        answer = shared.ask(guest.cookie, f"/desktop/{path}", more)
        assert (answer.status, answer.body) == (502, getattr(pages, form)("host_away", ""))
    # One that leaves in the middle of its answer: half of it must not look whole, nor be an error of ours.
    host.behave = answers(OK.replace(b"Length: 2", b"Length: 3"))
    with pytest.raises(IncompleteRead):
        shared.ask(guest.cookie, "/desktop/src/a.js")
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_viewers_stream_is_one_whatever_he_asks_for(
    shared: Shared, host: FakeHost, talk: Talk
) -> None:
    guest = shared.guest()

    async def work() -> None:
        for token in ("", "x", shared.guest().page):
            with pytest.raises(InvalidStatus):
                await guest.open(shared, "/desktop/api/websockets", token)
        assert host.heads == []
        stream = await guest.open(shared, "/desktop/api/websockets?role=controller&slot=2")
        assert await stream.recv() == "hi"
        assert shared.control("GET")[1]["here"] == 1
        await guest.open(shared, "/news")
        assert shared.watching() == 1, "a desktop at which a guest looks is used"
        for text in ("kd,97", "m,1,1,1,0", "cw,aGk=", "js,c,0", "cmd,xterm", "r,9x9", "_gz,1"):
            await stream.send(text)
        await stream.send(b"\x02sound")
        await stream.send(b"\x05\x1f\x8b")
        await stream.send("START_VIDEO")
        wait_for(lambda: talk.said == [["START_VIDEO"]])
        await stream.close()

    asyncio.run(work())
    assert host.lines == ["GET /api/websockets?role=viewer HTTP/1.1"]
    assert b"sec-websocket-extensions" not in host.last.lower(), "what is packed cannot be read"
    wait_for(lambda: shared.control("GET")[1]["here"] == 0)


def test_control_is_given_and_taken_while_he_looks_and_no_key_stays_down(
    shared: Shared, talk: Talk
) -> None:
    guest = shared.guest()

    async def work() -> None:
        stream = await guest.open(shared, "/desktop/api/websockets")
        news = await guest.open(shared, "/news")
        assert json.loads(await news.recv()) == {"role": "view"}
        await stream.send("kd,97")
        status, one = shared.control("PATCH", f"/sharing/{guest.id}", {"role": "control"})
        assert (status, one["role"]) == (200, "control")
        assert json.loads(await news.recv()) == {"role": "control"}
        for text in ("kd,98", "ku,98", "kd,65507", "m,5,6,1,0", "cw,aGk=", "r,9x9"):
            await stream.send(text)
        hands = ["STOP_VIDEO", "kd,98", "ku,98", "kd,65507", "m,5,6,1,0"]
        wait_for(lambda: talk.said == [[], hands])
        shared.control("PATCH", f"/sharing/{guest.id}", {"role": "view"})
        assert json.loads(await news.recv()) == {"role": "view"}
        hands += ["ku,65507", "m,5,6,0,0"]
        wait_for(lambda: talk.said[1][: len(hands)] == hands)
        await stream.send("kd,99")
        await stream.send("START_VIDEO")
        wait_for(lambda: talk.said[0] == ["START_VIDEO"])
        # And once more, ended by going away.
        shared.control("PATCH", f"/sharing/{guest.id}", {"role": "control"})
        await stream.send("kd,100")
        wait_for(lambda: talk.said[2:] == [["STOP_VIDEO", "kd,100"]])
        await stream.close()
        wait_for(lambda: talk.said[2][2:3] == ["ku,100"])
        assert not any("kd,99" in said or "kd,97" in said for said in talk.said)

    asyncio.run(work())


def test_who_is_not_to_see_it_any_more_sees_nothing_and_is_told_why(
    shared: Shared, talk: Talk
) -> None:
    guest, other = shared.guest(), shared.guest()

    async def work() -> None:
        stream = await guest.open(shared, "/desktop/api/websockets")
        end = await guest.open(shared, "/end")
        kept = await other.open(shared, "/desktop/api/websockets")
        assert shared.control("DELETE", f"/sharing/{guest.id}")[1]["here"] in (1, 2)
        said = json.loads(await end.recv())
        assert "owner has ended the sharing" in said["page"] and said["session"] is None
        with pytest.raises(ConnectionClosed):
            while True:
                await stream.recv()
        assert shared.ask(guest.cookie, "/", DOCUMENT).status == 401
        with pytest.raises(InvalidStatus):
            await guest.open(shared, "/desktop/api/websockets")
        await kept.send("START_VIDEO")
        wait_for(lambda: talk.said[1] == ["START_VIDEO"])

        # A time that is up, one that nobody has come for, and the session's own end.
        late = shared.guest(minutes=1)
        [one] = [one for one in shared.invitations if one.id == late.id]
        end = await late.open(shared, "/end")
        assert one.timer and 0 < one.timer.when() - shared.loop.time() <= 60
        shared.loop.call_soon_threadsafe(one.timer._run)
        assert "time of your invitation is up" in json.loads(await end.recv())["page"]
        link = shared.invite()["token"]
        end = await other.open(shared, "/end")
        await asyncio.to_thread(shared.do, shared.end())
        assert "The desktop has ended" in json.loads(await end.recv())["page"]
        assert shared.join(link).status == 403

    asyncio.run(work())
    assert shared.control("GET")[1]["invitations"] == []


def test_however_many_connections_he_opens_some_are_left(shared: Shared, talk: Talk) -> None:
    guest = shared.guest()
    assert shared.ask(guest.cookie, "/guest.js").header("connection") == "close"

    async def work() -> None:
        streams = [await guest.open(shared, "/desktop/api/websockets") for _ in range(4)]
        with pytest.raises(InvalidStatus):
            await guest.open(shared, "/desktop/api/websockets")
        news = [await guest.open(shared, "/news") for _ in range(12)]
        for path in ("/news", "/end"):
            with pytest.raises(InvalidStatus):
                await guest.open(shared, path)
        assert shared.ask(guest.cookie, "/guest.js").status == 403
        assert shared.guest().id and shared.control("GET")[1]["here"] == 1
        await streams[0].close()
        wait_for(lambda: shared.ask(guest.cookie, "/guest.js").status == 200)
        assert len(news) == 12

    asyncio.run(work())


def test_bytes_that_no_browser_sends_end_his_stream(shared: Shared, talk: Talk) -> None:
    guest = shared.guest()
    shown = f"Sec-WebSocket-Protocol: moonlight-page, moonlight-page.{guest.page}\r\n"
    head = get(
        "/desktop/api/websockets", f"Cookie: {guest.cookie}\r\n", shown, UPGRADE, bearer=False
    )
    # Right behind the handshake, before there is anything that could be looked at.
    for words in (b"\x81\x05kd,97", b"\xc1\x85\0\0\0\0kd,97"):
        with socket.create_connection(("127.0.0.1", shared.gateway.port), PATIENCE) as raw:
            raw.sendall((head + "\r\n").encode() + words)
            read_head(raw)
            while raw.recv(4096):
                pass
    wait_for(lambda: talk.said == [["<gone>"], ["<gone>"]])


def test_what_is_asked_of_invitations_is_checked(shared: Shared) -> None:
    wrong: list[tuple[Any, str]] = [
        (None, "role"),
        ({"role": "owner"}, "role"),
        ({"role": "view", "minutes": 0}, "minutes"),
        ({"role": "view", "minutes": True}, "minutes"),
        ({"role": "view", "minutes": "9"}, "minutes"),
        ({"role": "view", "name": "x\u202ey"}, "name"),
        ({"role": "view", "name": "x" * 61}, "name"),
        ({"role": "view", "name": 7}, "name"),
    ]
    for body, field in wrong:
        status, answer = shared.control("POST", body=body)
        assert (status, [one["field"] for one in answer["fields"]]) == (400, [field]), body
    made = shared.invite()
    assert shared.control("PATCH", f"/sharing/{made['id']}", {"role": 1})[0] == 400
    assert shared.control("PATCH", "/sharing/none", {"role": "view"})[0] == 404
    assert shared.control("PUT")[0] == 405
    for _ in range(15):
        shared.invite()
    assert shared.control("POST", body={"role": "view"})[1]["code"] == "too_many_invitations"
    assert shared.control("DELETE")[1] == {"most": "control", "here": 0, "invitations": []}

    shared.invitations.most = "view"
    assert shared.control("POST", body={"role": "control"})[0] == 400
    shared.invitations.most = "off"
    assert shared.control("GET")[1]["code"] == "sharing_off"


def test_a_guests_own_server_gets_his_stream_and_news_and_no_page_of_ours(
    shared: Shared, host: FakeHost, talk: Talk
) -> None:
    made = shared.invite(name="Bob")
    answer = shared.join(made["token"], "Accept: application/json\r\n")
    told = json.loads(answer.body)
    assert answer.status == 200 and answer.header("set-cookie") == ""
    assert (told["role"], told.keys()) == ("view", {"bearer", "role", "until"})
    assert shared.join(made["token"], "Accept: application/json\r\n").status == 403
    shows = f"Authorization: Bearer {told['bearer']}\r\n"
    for path in ["/", "/guest.js", "/gate.js", "/desktop/core.html", "/desktop/src/a.js", *OTHERS]:
        for more in ("", FETCH, DOCUMENT, FRAME + SAME):
            refused = ask(shared.gateway, get(path, shows, more, bearer=False))
            assert refused.status in (401, 403), (path, refused.status)
    for path in [*OTHERS, "/end", "/", "/desktop/src/a.js"]:
        if path != "/end":
            assert ask(shared.gateway, get(path, shows, UPGRADE, bearer=False)).status in (401, 403)
    assert host.heads == []

    async def open_it(path: str) -> ClientConnection:
        return await connect(
            f"ws://127.0.0.1:{shared.gateway.port}{path}",
            additional_headers={"Authorization": f"Bearer {told['bearer']}"},
            ping_interval=None,
        )

    async def work() -> None:
        news = await open_it("/news")
        assert json.loads(await news.recv()) == {"role": "view"}
        stream = await open_it("/desktop/api/websockets?role=controller")
        assert await stream.recv() == "hi"
        for text in ("kd,97", "cw,aGk=", "cmd,xterm", "START_VIDEO"):
            await stream.send(text)
        wait_for(lambda: talk.said == [["START_VIDEO"]])
        shared.control("DELETE", f"/sharing/{made['id']}")
        assert json.loads(await news.recv()) == {"over": "share_ended"}
        with pytest.raises(ConnectionClosed):
            while True:
                await stream.recv()
        with pytest.raises(InvalidStatus):
            await open_it("/news")

    asyncio.run(work())
    assert host.lines == ["GET /api/websockets?role=viewer HTTP/1.1"]
