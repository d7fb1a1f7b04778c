"""What a browser is told when there is no desktop at the other end, and what is kept from strangers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moonlight_spawner.model.session import End, State
from tornado.httpclient import HTTPClientError

from .conftest import Call
from .node import Node
from .sessions import TOKEN, Records

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def away(node: Node, recorded: str) -> Iterator[str]:
    """A session whose gateway is gone."""
    node.go_away()
    yield recorded


def desktop(session_id: str) -> str:
    return f"/moonlight/sessions/{session_id}/desktop/"


class TestAGatewayThatIsGone:
    async def test_is_told_to_programs_in_json(self, call: Call, away: str) -> None:
        for method in ("GET", "POST", "HEAD"):
            answer = await call(method, desktop(away))
            assert answer.status == 502
            assert answer.header("cache-control") == "no-store"
            assert method == "HEAD" or answer.code == "node_away"

    async def test_is_told_to_people_on_a_page_that_tries_again(
        self, call: Call, away: str, jp_base_url: str
    ) -> None:
        answer = await call("GET", desktop(away), headers=HTML)
        assert (answer.status, answer.header("content-type")) == (502, "text/html; charset=utf-8")
        assert b'<meta http-equiv="refresh"' in answer.body
        assert f'href="{jp_base_url}moonlight/"'.encode() in answer.body

    async def test_is_told_in_korean(self, call: Call, away: str) -> None:
        headers = {**HTML, "Accept-Language": "ko-KR,ko;q=0.9"}
        answer = await call("GET", desktop(away), headers=headers)
        assert answer.status == 502 and "노드와의 연결이 끊겼습니다" in answer.body.decode()

    async def test_refuses_a_websocket(self, jp_ws_fetch: Any, away: str) -> None:
        with pytest.raises(HTTPClientError) as error:
            await jp_ws_fetch("moonlight", "sessions", away, "desktop", "echo")
        assert error.value.code == 502

    async def test_an_upload_to_it_is_answered_too(self, call: Call, away: str) -> None:
        answer = await call("POST", desktop(away), body=b"x" * 1_000_000)
        assert (answer.status, answer.code) == (502, "node_away")


class TestAnImpostor:
    """Somebody else listens on the port that the records name, with a certificate of his own."""

    async def test_gets_no_token_and_no_request(
        self, call: Call, node: Node, records: Records
    ) -> None:
        session_id = records.add(gateway=node.impostor())
        for method in ("GET", "POST"):
            answer = await call(method, desktop(session_id), headers=HTML)
            assert answer.status == 502 and b"give me your token" not in answer.body
            assert b'<meta http-equiv="refresh"' in answer.body
        assert not any(node.impostor_heads), "an impostor was talked to"

    async def test_gets_no_websocket(self, jp_ws_fetch: Any, node: Node, records: Records) -> None:
        session_id = records.add(gateway=node.impostor())
        with pytest.raises(HTTPClientError) as error:
            await jp_ws_fetch("moonlight", "sessions", session_id, "desktop", "echo")
        assert error.value.code == 502
        assert TOKEN.encode() not in b"".join(node.impostor_heads)

    async def test_would_see_the_token_if_he_had_the_certificate(
        self, call: Call, node: Node, recorded: str
    ) -> None:
        """The two tests above would pass as well if no token were sent to anybody."""
        assert (await call("GET", desktop(recorded))).status == 200
        assert len(node.host.heads) == 1


class TestASessionThatDoesNotRun:
    @pytest.mark.parametrize("phase", ["starting"])
    async def test_is_not_ready(self, call: Call, records: Records, phase: str) -> None:
        session_id = records.add(phase)
        answer = await call("GET", desktop(session_id))
        assert (answer.status, answer.code) == (503, "not_running")
        page = await call("GET", desktop(session_id), headers=HTML)
        assert page.status == 503 and b'<meta http-equiv="refresh"' in page.body

    async def test_has_ended_with_a_reason(self, call: Call, records: Records, node: Node) -> None:
        reason = "The session reached its time limit of 8 h & <b>was</b> ended."
        end = End(state=State.TIMEOUT, code="TimeLimit", reason=reason)
        session_id = records.add("ended", gateway=node.gateway, end=end)
        answer = await call("GET", desktop(session_id))
        assert (answer.status, answer.code) == (410, "ended")
        assert reason in answer.json["message"]
        page = await call("GET", desktop(session_id), headers=HTML)
        assert page.status == 410 and b"8 h &amp; &lt;b&gt;was&lt;/b&gt; ended." in page.body
        assert b'http-equiv="refresh"' not in page.body
        assert node.host.heads == []

    async def test_is_not_known(self, call: Call, records: Records) -> None:
        known = records.add()
        session_id = known[:-1] + "a2"[known.endswith("a")]
        answer = await call("GET", desktop(session_id))
        assert (answer.status, answer.code) == (404, "unknown")
        page = await call("GET", desktop(session_id), headers=HTML)
        assert page.status == 404 and b"There is no such desktop" in page.body

    async def test_refuses_websockets(self, jp_ws_fetch: Any, records: Records) -> None:
        end = End(state=State.COMPLETED, code="LoggedOut", reason="You logged out.")
        found = {}
        for name, session_id in {
            "starting": records.add("starting"),
            "ended": records.add("ended", end=end),
            "unknown": "ml-root-aaaaaaaaaa",
        }.items():
            with pytest.raises(HTTPClientError) as error:
                await jp_ws_fetch("moonlight", "sessions", session_id, "desktop", "echo")
            found[name] = error.value.code
        assert found == {"starting": 503, "ended": 410, "unknown": 404}


class TestTheGatewaysOwnApi:
    async def test_is_asked_by_the_portal(self, call: Call, node: Node, recorded: str) -> None:
        answer = await call("GET", f"/api/moonlight/sessions/{recorded}/native")
        assert (answer.status, node.control.asked) == (200, ["GET /native"])

    async def test_is_not_reached_through_the_stream(
        self, call: Call, node: Node, recorded: str
    ) -> None:
        for path in (
            "control/native",
            "control/native/pin",
            "control/clipboard",
            "control/",
            "node/n1/80/control/native",
        ):
            for method in ("GET", "PUT", "POST", "DELETE"):
                answer = await call(method, desktop(recorded) + path)
                assert (answer.status, answer.code) == (404, "not_found"), path
        answer = await call("GET", desktop(recorded) + "rnode/n1/80/control/native?x=1")
        assert answer.status == 404
        assert node.control.asked == [] and node.host.heads == []
        assert (await call("GET", desktop(recorded) + "controls.js")).status == 200
