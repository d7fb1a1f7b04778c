"""What the REST API answers, to the field, and that its two descriptions are true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from moonlight_jupyter import api as moonlight_api
from moonlight_spawner import __version__
from moonlight_spawner.model.session import Session
from openapi_spec_validator import validate
from tornado.web import RequestHandler

from .conftest import Call
from .described import Described
from .sessions import Records, current_user

API_MD = Path(__file__).parents[2] / "docs" / "api.md"

SESSION = {
    *("session_id", "user", "image_id", "image_name", "image_names", "name"),
    *("status", "reason", "reason_code", "reason_params", "host"),
    *("request", "scheduler", "slurm_job_id", "queue", "steps", "node", "display_num"),
    *(
        "sunshine_port",
        "web_url",
        "stream_url",
        "notes",
        "note_codes",
        "created_at",
        "started_at",
        "ends_at",
    ),
    *("ended_at", "stale_since", "stale_reason", "stale_code"),
    *("encoder", "gl_renderer", "audio", "screen", "clipboard", "files", "door", "way"),
    *("allocation", "picture", "sharing", "guests", "idle_minutes", "idle_ends_at"),
}


def examples() -> list[Any]:
    """The JSON of docs/api.md, in its order."""
    text = API_MD.read_text("utf-8")
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def keys(value: Any) -> Any:
    """Only the names of fields, of a list only its first element's."""
    if isinstance(value, dict):
        return {name: keys(part) for name, part in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return None


def rules_of(router: Any) -> Iterator[Any]:
    """All rules of a server, also those of routers in routers."""
    for rule in router.rules:
        if hasattr(rule.matcher, "regex"):
            yield rule
        elif hasattr(rule.target, "rules"):
            yield from rules_of(rule.target)


class TestEachCall:
    async def test_health(self, api: Call) -> None:
        answer = await api("GET", "/health")
        assert answer.status == 200
        assert answer.json == {
            "status": "ok",
            "version": __version__,
            "user": current_user(),
            "scheduler": {"name": "local", "available": True, "message": None},
        }

    async def test_site(self, api: Call) -> None:
        answer = await api("GET", "/site")
        assert answer.status == 200
        assert answer.json["scheduler"] == "local"
        assert answer.json["partition"] is None and answer.json["qos"] is None
        assert answer.json["defaults"] == {
            **{"image": "host-desktop", "hours": 0.1, "cpus": 1, "memory_gb": 1.0, "gpus": 0},
            **{"resolution": "800x600", "fps": 30, "bitrate_kbps": 20000, "keyboard": "us"},
            "follow_window": True,
            "where": "job",
            "picture": True,
        }
        assert (answer.json["where"], answer.json["here"]) == (["job"], None)
        assert answer.json["limits"]["width"] == {"min": 640, "max": 1920}
        assert answer.json["limits"]["sessions"] == {"min": 0, "max": 4}
        assert answer.json["limits"]["bitrate_kbps"] == {"min": 500, "max": 50000}
        keyboards = answer.json["keyboards"]
        assert keyboards[0] == "us" and {"kr", "de"} < set(keyboards)
        assert len(set(keyboards)) == len(keyboards)

    async def test_images(self, api: Call) -> None:
        answer = await api("GET", "/images")
        images = {image["id"]: image for image in answer.json["images"]}
        assert answer.status == 200
        assert images["host-desktop"]["available"] is True
        assert images["host-desktop"]["default"] is True
        assert images["desktop"]["available"] is False
        assert images["desktop"]["unavailable_code"] == "ImageMissing"
        assert "not installed" in images["desktop"]["unavailable_reason"]

    async def test_where_images_lie_is_for_those_who_can_put_one_there(
        self, api: Call, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who that is, is held by tests/unit/test_image_catalogue.py; the portal's admins besides."""
        images_dir = jp_serverapp.web_app.settings["moonlight_manager"].site.images_dir
        for told in (True, False):
            monkeypatch.setattr(moonlight_api, "may_put", {Path(images_dir): told}.__getitem__)
            answer = await api("GET", "/images")
            (desktop,) = (i for i in answer.json["images"] if i["id"] == "desktop")
            assert (desktop["unavailable_detail"] is not None) is told
            assert (".sif" in str(answer.json)) is told

    async def test_no_sessions(self, api: Call) -> None:
        answer = await api("GET", "/sessions")
        assert (answer.status, answer.json) == (200, {"sessions": []})

    async def test_one_session_and_its_logs(
        self, api: Call, records: Records, jp_base_url: str
    ) -> None:
        session_id = records.add(display_num=12)
        (records.store.directory(session_id) / "agent.log").write_text("0123456789" * 10)
        session = (await api("GET", f"/sessions/{session_id}")).json
        assert session.keys() == SESSION
        assert session["web_url"] == f"{jp_base_url}moonlight/sessions/{session_id}/"
        assert session["stream_url"] == session["web_url"] + "desktop/"
        assert (session["status"], session["display_num"]) == ("running", 12)
        assert (await api("GET", "/sessions")).json == {"sessions": [session]}
        logs = (await api("GET", f"/sessions/{session_id}/logs?tail=4")).json["logs"]
        assert [log["name"] for log in logs] == ["agent", "xserver", "desktop", "stream"]
        assert logs[0] == {"name": "agent", "size": 100, "truncated": True, "text": "6789"}
        assert logs[1] == {"name": "xserver", "size": 0, "truncated": False, "text": ""}

    async def test_what_the_node_really_uses_is_told(self, api: Call, records: Records) -> None:
        names = ("encoder", "gl_renderer", "audio", "clipboard", "files")
        used = {"encoder": "NVENC H.264", "gl_renderer": "NVIDIA L4", "audio": True}
        used |= {"clipboard": "to_desktop", "files": "from_desktop"}
        for session_id, expected in (
            (records.add(**used), used),
            (records.add("starting"), dict.fromkeys(names) | {"clipboard": "off", "files": "off"}),
        ):
            session = (await api("GET", f"/sessions/{session_id}")).json
            assert {name: session[name] for name in names} == expected

    async def test_newest_session_first(self, api: Call, records: Records) -> None:
        ids = {records.add() for _ in range(3)}
        found = (await api("GET", "/sessions")).json["sessions"]
        order = [(s["created_at"], s["session_id"]) for s in found]
        assert {s["session_id"] for s in found} == ids
        assert order == sorted(order, reverse=True)

    async def test_the_token_and_the_certificate_stay_on_the_server(
        self, api: Call, call: Call, recorded: str
    ) -> None:
        for path in ("", f"/{recorded}", f"/{recorded}/logs"):
            text = (await api("GET", "/sessions" + path)).body.decode()
            assert (
                "CERTIFICATE" not in text and "the-token-of" not in text and "gateway" not in text
            )


class TestTheServedDescription:
    def test_is_valid_openapi(self, described: Described) -> None:
        validate(described.document)

    def test_lists_exactly_the_routes_that_exist(
        self, described: Described, jp_serverapp: ServerApp
    ) -> None:
        found = set()
        for rule in rules_of(jp_serverapp.web_app.default_router):
            _, api, path = rule.matcher.regex.pattern.rstrip("$").partition("/api/moonlight")
            if not api or path == "(?:/.*)?":  # the last says that there is nothing
                continue
            handler = rule.target
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if getattr(handler, method.lower()) is not RequestHandler._unimplemented_method:
                    found.add((method, api + re.sub(r"\([^)]+\)", "{}", path)))
        assert {(m, re.sub(r"\{\w+\}", "{}", path)) for m, path in described.routes} == found

    def test_says_under_which_address(self, described: Described, jp_base_url: str) -> None:
        assert described.document["servers"] == [{"url": jp_base_url.rstrip("/")}]

    def test_a_session_has_the_fields_that_the_model_has(self, described: Described) -> None:
        model = set(Session.model_fields) - {"gateway"} | {"web_url", "stream_url"}
        assert described.fields("Session") == model == SESSION

    async def test_unknown_paths_and_methods_are_answered_in_json(
        self, api: Call, call: Call
    ) -> None:
        for path in ("/api/moonlight", "/api/moonlight/", "/api/moonlight/nothing/here"):
            answer = await call("GET", path)
            assert (answer.status, answer.code) == (404, "not_found")
        for method, path in (("PATCH", "/sessions"), ("PUT", "/health"), ("POST", "/images")):
            answer = await call(method, "/api/moonlight" + path)
            assert (answer.status, answer.code) == (405, "method_not_allowed")
            assert answer.header("allow").startswith("GET, ") and method not in answer.header(
                "allow"
            ).split(", ")


class TestTheWrittenDescription:
    async def test_its_session_has_the_real_fields(self, described: Described) -> None:
        session = examples()[2]
        assert session.keys() == SESSION
        for name, schema in (("request", "Resources"), ("queue", "Queue")):
            assert session[name].keys() == described.fields(schema)
        assert session["steps"][0].keys() == described.fields("Step")

    async def test_its_site_images_and_errors_have_the_real_fields(self, api: Call) -> None:
        _, choices, _, site, images, error = examples()
        assert keys((await api("GET", "/site")).json) == keys(site)
        assert keys((await api("GET", "/images")).json) == keys(images)
        assert keys((await api("POST", "/sessions", hours=99)).json) == keys(error)
        kept = await api("PUT", "/choices", revision="", choices=choices["choices"])
        assert {**kept.json, "revision": choices["revision"]} == choices

    def test_it_names_every_route(self, described: Described) -> None:
        text = API_MD.read_text("utf-8")
        # What only a portal has is held by tests/portal/test_surface.py.
        text = re.sub(r"\nIn a portal besides:.*?\n## ", "\n## ", text, flags=re.DOTALL)
        table = set(re.findall(r"\| `(GET|PUT|POST|PATCH|DELETE) (/\S+)`", text))
        named = {(method, path.replace("<id>", "<session_id>")) for method, path in table}
        routes = {(m, re.sub(r"\{(\w+)\}", r"<\1>", path)) for m, path in described.routes}
        assert routes == named | {("GET", "/api/moonlight/openapi.json")}
        assert "/api/moonlight/openapi.json" in text
