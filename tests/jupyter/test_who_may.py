"""Nobody gets in without a login, and nobody does what the site's authorizer denies."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.base.handlers import JupyterHandler
from moonlight_jupyter.page import STATIC
from moonlight_spawner.site.options import MoonlightSite
from traitlets.config import Config

from .conftest import Call
from .described import Described
from .node import Node
from .sessions import Records

ASSET = next(path.name for path in (STATIC / "assets").iterdir())
WEBSOCKET = {
    **{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
HTML = {"Accept": "text/html,application/xhtml+xml"}


def calls_of(described: Described, session_id: str) -> list[tuple[str, str]]:
    values = {"session_id": session_id, "uuid": "01234567-89ab", "invitation": "0a1b2c"}
    return [(method, path.format(**values)) for method, path in sorted(described.routes)]


def streams_of(session_id: str) -> list[tuple[str, str, dict[str, str]]]:
    desktop = f"/moonlight/sessions/{session_id}/desktop"
    plain: list[tuple[str, str, dict[str, str]]] = [
        (method, desktop + "/", {})
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    ]
    return [
        *plain,
        ("GET", desktop, {}),
        ("GET", desktop + "/echo", WEBSOCKET),
        ("GET", desktop + "/websocket-check", WEBSOCKET),
        ("GET", f"/moonlight/signaling?session={session_id}", WEBSOCKET),
        ("GET", f"/moonlight/signaling?session={session_id}", {}),
    ]


class Deny(Authorizer):
    """Everybody who has logged in may do nothing here."""

    def is_authorized(self, handler: JupyterHandler, user: Any, action: str, resource: str) -> bool:
        return False


class OnlyLook(Authorizer):
    """May see sessions and their pictures, may not change or control anything."""

    def is_authorized(self, handler: JupyterHandler, user: Any, action: str, resource: str) -> bool:
        return resource == "moonlight" and action == "read"


class TestWithoutALogin:
    @pytest.mark.parametrize("wrong", [{}, {"Authorization": "token wrong"}, {"Cookie": "x=1"}])
    async def test_every_call_is_forbidden(
        self, call: Call, described: Described, recorded: str, wrong: dict[str, str]
    ) -> None:
        for method, path in calls_of(described, recorded):
            answer = await call(method, path, login=False, headers=wrong)
            assert (answer.status, answer.code) == (403, "forbidden"), (method, path)
            described.check(method, path, answer)

    @pytest.mark.parametrize("wrong", [{}, {"Authorization": "token wrong"}])
    async def test_every_stream_is_forbidden(
        self, call: Call, node: Node, recorded: str, wrong: dict[str, str]
    ) -> None:
        for method, path, headers in streams_of(recorded):
            answer = await call(method, path, login=False, headers={**headers, **wrong})
            assert answer.status == 403, (method, path)
            assert answer.code == "forbidden"
        assert node.host.heads == []

    async def test_nothing_tells_which_sessions_exist(self, call: Call, recorded: str) -> None:
        for path in ("/api/moonlight/sessions/{}", "/moonlight/sessions/{}/desktop/"):
            known = await call("GET", path.format(recorded), login=False)
            unknown = await call("GET", path.format("ml-root-aaaaaaaaaa"), login=False)
            assert (known.status, known.body) == (unknown.status, unknown.body)

    async def test_unknown_addresses_of_the_api_are_forbidden_too(self, call: Call) -> None:
        assert (await call("GET", "/api/moonlight/nothing", login=False)).status == 403

    async def test_a_bad_token_of_the_session_itself_opens_nothing(
        self, call: Call, recorded: str
    ) -> None:
        from .sessions import TOKEN

        for header in (f"Bearer {TOKEN}", f"token {TOKEN}"):
            answer = await call(
                "GET",
                f"/moonlight/sessions/{recorded}/desktop/",
                login=False,
                headers={"Authorization": header},
            )
            assert answer.status == 403

    async def test_pages_lead_to_the_login(self, call: Call, jp_base_url: str) -> None:
        for path in ("/moonlight/", "/moonlight/sessions/x/", f"/moonlight/static/assets/{ASSET}"):
            answer = await call("GET", path, login=False, headers=HTML)
            assert answer.status == 302, path
            login = answer.header("location")
            assert login.startswith(f"{jp_base_url}login?next="), login


class TestWhereEveryHandlerNeedsALogin:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.allow_unauthenticated_access = False
        return jp_server_config

    async def test_nothing_changes_for_those_who_have_one(
        self, call: Call, described: Described, recorded: str
    ) -> None:
        assert (await call("GET", "/api/moonlight/sessions")).status == 200
        assert (await call("GET", f"/moonlight/sessions/{recorded}/desktop/")).status == 200
        assert (await call("GET", "/moonlight/")).status == 200

    async def test_the_api_still_answers_in_json(self, call: Call, described: Described) -> None:
        for method, path in calls_of(described, "ml-root-aaaaaaaaaa"):
            answer = await call(method, path, login=False)
            assert (answer.status, answer.code) == (403, "forbidden")


class TestWhomTheAuthorizerDenies:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = Deny
        return jp_server_config

    @pytest.fixture
    def described(self) -> Described:
        """The denied cannot read the document either."""
        from moonlight_jupyter.openapi import document

        return Described(document("/", MoonlightSite()))

    async def test_every_call_is_forbidden(
        self, call: Call, described: Described, recorded: str
    ) -> None:
        for method, path in calls_of(described, recorded):
            answer = await call(method, path)
            assert (answer.status, answer.code) == (403, "forbidden"), (method, path)

    async def test_every_stream_is_forbidden(self, call: Call, node: Node, recorded: str) -> None:
        for method, path, headers in streams_of(recorded):
            answer = await call(method, path, headers=headers)
            assert (answer.status, answer.code) == (403, "forbidden"), (method, path)
        assert node.host.heads == []

    async def test_every_page_is_forbidden(self, call: Call) -> None:
        for path in ("/moonlight/", "/moonlight/sessions/x/", f"/moonlight/static/assets/{ASSET}"):
            assert (await call("GET", path)).status == 403, path


class TestWhoMayOnlyLook:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = OnlyLook
        return jp_server_config

    async def test_sees_sessions_and_pages(self, call: Call, recorded: str) -> None:
        paths = ["/api/moonlight/sessions", f"/api/moonlight/sessions/{recorded}", "/moonlight/"]
        for path in [*paths, f"/moonlight/static/assets/{ASSET}"]:
            assert (await call("GET", path)).status == 200, path

    async def test_launches_and_stops_nothing(self, call: Call, records: Records) -> None:
        session_id = records.add()
        for method, path in (("POST", ""), ("DELETE", f"/{session_id}")):
            answer = await call(method, f"/api/moonlight/sessions{path}")
            assert (answer.status, answer.code) == (403, "forbidden")
        assert (await call("GET", f"/api/moonlight/sessions/{session_id}")).json[
            "status"
        ] == "running"

    async def test_keeps_no_choices(self, call: Call) -> None:
        wish = {"revision": "", "choices": {"image": "gnome"}}
        answer = await call("PUT", "/api/moonlight/choices", **wish)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert (await call("GET", "/api/moonlight/choices")).json["revision"] == ""

    async def test_controls_no_desktop(self, call: Call, node: Node, recorded: str) -> None:
        desktop = f"/moonlight/sessions/{recorded}/desktop/"
        for method, headers in (("GET", WEBSOCKET), ("POST", {}), ("PUT", {}), ("DELETE", {})):
            answer = await call(method, desktop, headers=headers)
            assert (answer.status, answer.code) == (403, "forbidden"), method
        for path in ("files/places", "files/list?in=~", "node/n1/80/files/list", "files/fetch/x"):
            answer = await call("GET", desktop + path)
            assert (answer.status, answer.code) == (403, "forbidden"), path
        clipboard = f"/api/moonlight/sessions/{recorded}/clipboard"
        for method, fields in (("PUT", {"text": "typed by a guest"}), ("GET", {})):
            answer = await call(method, clipboard, **fields)
            assert (answer.status, answer.code) == (403, "forbidden"), method
        picture = f"/api/moonlight/sessions/{recorded}/picture"
        for method, shown in (("PUT", {"shown": True}), ("GET", {})):
            answer = await call(method, picture, **shown)
            assert (answer.status, answer.code) == (403, "forbidden"), method
        assert node.host.heads == [] and node.control.asked == []


class TestAnotherUser:
    async def test_has_sessions_that_do_not_exist_here(
        self, call: Call, records: Records, node: Node
    ) -> None:
        theirs = records.of_another("mallory", records.add(gateway=node.gateway))
        calls = [("GET", ""), ("DELETE", ""), ("GET", "/logs"), ("GET", "/native")]
        calls += [(m, path) for m in ("GET", "PUT") for path in ("/clipboard", "/picture")]
        for method, path in calls:
            answer = await call(method, f"/api/moonlight/sessions/{theirs}{path}")
            assert (answer.status, answer.code) == (404, "not_found")
        for method, path, headers in streams_of(theirs):
            if not path.endswith("/desktop"):
                answer = await call(method, path, headers=headers)
                assert (answer.status, answer.code) == (404, "unknown"), path
        assert (await call("GET", "/api/moonlight/sessions")).json == {"sessions": []}
        assert node.host.heads == [] and node.control.asked == []
