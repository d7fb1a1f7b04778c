"""The desktop may be shown in a frame of our page, at a server that forbids frames to all others."""

from __future__ import annotations

import pytest
from moonlight_spawner.relay.framing import without_framing
from traitlets.config import Config

from .conftest import Call
from .raw import Answer
from .sessions import Records

HTML = {"Accept": "text/html"}


@pytest.fixture
def jp_server_config(jp_server_config: Config) -> Config:
    # As the single-user server of a Hub, and as portals that distrust frames.
    headers = {
        "Content-Security-Policy": "frame-ancestors 'none'; report-uri /hub/security/csp-report",
        "X-Frame-Options": "DENY",
    }
    jp_server_config.ServerApp.tornado_settings = {"headers": headers}
    return jp_server_config


def ancestors(answer: Answer) -> list[str]:
    """What each policy of an answer says on frames; a browser obeys them all."""
    assert not answer.header("x-frame-options")
    policies = [value for name, value in answer.headers if name == "content-security-policy"]
    directives = [d.strip() for policy in policies for d in policy.split(";")]
    return [d for d in directives if d.startswith("frame-ancestors")]


OURS = ["frame-ancestors 'self'"]


async def test_the_hosts_client_and_all_that_it_asks_for(call: Call, recorded: str) -> None:
    for path in ("", "headers", "redirect", "range"):
        headers = {"Range": "bytes=0-9"} if path == "range" else {}
        desktop = f"/moonlight/sessions/{recorded}/desktop/{path}"
        answer = await call("GET", desktop, headers={**HTML, **headers})
        assert answer.status < 400 and ancestors(answer) == OURS, path


async def test_the_rest_of_the_hosts_policy_stays(call: Call, recorded: str) -> None:
    answer = await call("GET", f"/moonlight/sessions/{recorded}/desktop/headers")
    policies = [value for name, value in answer.headers if name == "content-security-policy"]
    assert "img-src 'self'" in policies


@pytest.mark.parametrize("jp_base_url", ["/p/user/alice/"])
async def test_a_hubs_shared_origin_has_nothing_in_a_frame_but_a_desktop(
    call: Call, recorded: str, jp_base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of another user's server reads this server's XSRF value out of any page in a frame."""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", jp_base_url)
    monkeypatch.setenv("JUPYTERHUB_BASE_URL", "/p/")
    stream = f"/moonlight/sessions/{recorded}/desktop/"
    assert ancestors(await call("GET", stream, headers=HTML)) == OURS
    none = "/moonlight/sessions/ml-root-aaaaaaaaaa/desktop/"
    for path in (
        "/moonlight/",
        f"/moonlight/sessions/{recorded}/",
        none,
        f"{stream}control/native",
    ):
        answer = await call("GET", path, headers=HTML)
        assert "frame-ancestors 'none'" in answer.header("content-security-policy"), path


async def test_pages_that_say_why_there_is_no_desktop(
    call: Call, records: Records, recorded: str
) -> None:
    waiting = records.add()
    for session_id, status in (("ml-root-aaaaaaaaaa", 404), (waiting, 503)):
        answer = await call("GET", f"/moonlight/sessions/{session_id}/desktop/", headers=HTML)
        assert (answer.status, ancestors(answer)) == (status, OURS)
    slashless = await call("GET", f"/moonlight/sessions/{recorded}/desktop", headers=HTML)
    assert (slashless.status, ancestors(slashless)) == (302, OURS)
    refused = await call("POST", f"/moonlight/sessions/{recorded}/desktop/control/clipboard")
    assert (refused.status, ancestors(refused)) == (404, OURS)


async def test_the_servers_other_pages_keep_its_policy(call: Call) -> None:
    answer = await call("GET", "/api/moonlight/health")
    policies = [value for name, value in answer.headers if name == "content-security-policy"]
    assert len(policies) == 1 and "frame-ancestors 'none'" in policies[0]
    assert answer.header("x-frame-options") == "DENY"


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (b"frame-ancestors 'none'", None),
        (b"Frame-Ancestors 'none'; default-src 'self'", b"default-src 'self'"),
        (b"default-src 'self', frame-ancestors https://a", b"default-src 'self'"),
        (b"script-src 'self';; frame-ancestors *;", b"script-src 'self'"),
        (b"frame-src 'none'", b"frame-src 'none'"),
    ],
)
def test_only_the_word_on_frames_is_taken_out_of_a_policy(
    policy: bytes, left: bytes | None
) -> None:
    found = without_framing([(b"content-security-policy", policy), (b"x-frame-options", b"DENY")])
    assert found == ([] if left is None else [(b"content-security-policy", left)])
