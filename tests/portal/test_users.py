"""Two users and an admin, through nginx: each sees and touches only what is theirs."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.waiting import PATIENCE, wait_for

from .failover import Followed, carries, followed, stream_of
from .place import SLOWLY, Place

SESSIONS = "/api/moonlight/sessions"


@pytest.fixture(scope="module")
def session(place: Place) -> Iterator[dict[str, Any]]:
    """A session of alice's."""
    with place.client(place.token(place.alice)) as client:
        made = client.post(SESSIONS, json={})
        assert made.status_code == 201, made.text
        assert made.json()["door"] == "api" and made.json()["user"] == str(place.alice)
        assert made.headers["location"] == f"{SESSIONS}/{made.json()['session_id']}"
        yield made.json()
        client.delete(f"{SESSIONS}/{made.json()['session_id']}")
        wait_for(lambda: not _live(client), interval=SLOWLY)


def _live(client: httpx.Client) -> list[Any]:
    found = client.get(SESSIONS).json()["sessions"]
    return [s for s in found if s["status"] in ("pending", "starting", "running", "stopping")]


def paths_of(session: dict[str, Any]) -> list[tuple[str, str]]:
    api, page = f"{SESSIONS}/{session['session_id']}", session["web_url"]
    return [
        ("GET", api),
        ("DELETE", api),
        ("GET", f"{api}/logs"),
        ("PATCH", api),
        ("DELETE", f"{api}/record"),
        ("GET", f"{api}/native"),
        ("POST", f"{api}/native/pin"),
        ("GET", f"{api}/clipboard"),
        ("PUT", f"{api}/clipboard"),
        ("POST", f"{api}/keep"),
        ("GET", f"{api}/picture"),
        ("PUT", f"{api}/picture"),
        ("GET", f"{api}/sharing"),
        ("POST", f"{api}/sharing"),
        ("DELETE", f"{api}/sharing"),
        ("PATCH", f"{api}/sharing/1f"),
        ("DELETE", f"{api}/sharing/1f"),
        ("GET", f"{page}desktop/"),
        ("GET", f"{page}desktop/websocket-check"),
        ("POST", f"{page}desktop/upload"),
        ("GET", f"/moonlight/signaling?session={session['session_id']}"),
    ]


def refused_as(method: str, path: str) -> int:
    """What no admin does for a user has no other user, so that the parameter is an unknown one."""
    own = re.search(
        "/(native|native/pin|clipboard|picture|keep|record|sharing(/1f)?)[?]user=", path
    )
    return 400 if own or (method == "PATCH" and "?user=" in path) else 404


def test_a_session_of_somebody_else_is_not_there(place: Place, session: dict[str, Any]) -> None:
    with place.client(place.token(place.bob)) as client:
        assert client.get(SESSIONS).json() == {"sessions": []}
        for method, path in paths_of(session):
            for query in ("", f"?user={place.alice}"):
                joined = path + (query.replace("?", "&") if "?" in path else query)
                answer = client.request(method, joined)
                assert answer.status_code == refused_as(method, joined), (
                    method,
                    joined,
                    answer.text,
                )
        assert client.get(SESSIONS, params={"user": str(place.alice)}).status_code == 404
    with place.client(place.token(place.alice)) as client:
        assert [s["session_id"] for s in _live(client)] == [session["session_id"]]


def test_an_admin_sees_a_users_sessions_and_not_their_desktops(
    place: Place, session: dict[str, Any]
) -> None:
    whose = {"user": str(place.alice)}
    with place.client(place.admin_token()) as client:
        found = client.get(SESSIONS, params=whose).json()["sessions"]
        assert [s["session_id"] for s in found] == [session["session_id"]]
        one = f"{SESSIONS}/{session['session_id']}"
        assert client.get(one, params=whose).json()["user"] == str(place.alice)
        assert client.get(f"{one}/logs", params=whose).json()["logs"]
        assert client.get(one).status_code == 404, "nobody is anybody by default"
        for method, path in paths_of(session)[3:]:
            joined = f"{path}{'&' if '?' in path else '?'}user={place.alice}"
            assert client.request(method, joined).status_code == refused_as(method, joined), joined
    by = {"user": str(place.alice), "admin": str(place.side.other), "result": "done"}
    assert place.audited(action="list", **by)
    assert place.audited(action="look", session=session["session_id"], **by)
    assert place.audited(action="logs", session=session["session_id"], **by)


def test_a_name_is_the_users_own_and_what_lives_is_not_deleted(
    place: Place, session: dict[str, Any]
) -> None:
    one, mine = f"{SESSIONS}/{session['session_id']}", {"user": str(place.alice)}
    with place.client(place.token(place.alice)) as client:
        assert client.patch(one, json={"name": "유동 해석"}).json()["name"] == "유동 해석"
        assert client.get(one).json()["name"] == "유동 해석"
        assert client.patch(one, json={"name": "a\u202eb"}).status_code == 400
        refused = client.delete(f"{one}/record")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "session_lives")
        assert client.delete(SESSIONS, params={"live": "false"}).json() == {"deleted": []}
    mine["session"] = session["session_id"]
    assert place.audited(action="rename", result="done", **mine)
    assert place.audited(action="delete", result="refused", reason="session_lives", **mine)
    assert place.audited(action="delete", result="done", user=str(place.alice), deleted=0)


def test_choices_are_each_users_own(place: Place) -> None:
    path, chosen = "/api/moonlight/choices", {"image": "desktop"}
    with place.client(place.token(place.alice)) as client:
        before = client.get(path).json()["revision"]
        kept = client.put(path, json={"revision": before, "choices": chosen})
        assert (kept.status_code, kept.json()["choices"]["image"]) == (200, "desktop"), kept.text
        late = client.put(path, json={"revision": "0" * 32, "choices": {}})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "choices_changed")
        assert late.json()["error"]["current"] == client.get(path).json() == kept.json()
    with place.client(place.token(place.bob)) as client:
        assert client.get(path).json()["revision"] == ""
    with place.client(place.admin_token()) as client:
        assert client.get(path, params={"user": str(place.alice)}).status_code == 400
    mine = {"action": "choose", "user": str(place.alice)}
    assert place.audited(result="done", **mine)
    assert place.audited(result="refused", reason="choices_changed", **mine)


def test_who_is_an_admin_by_his_own_word_is_none(place: Place, session: dict[str, Any]) -> None:
    with place.client(place.token(place.bob, groups=["hpc-users"], admin=True)) as client:
        answer = client.get(
            SESSIONS, params={"user": str(place.alice)}, headers={"X-Groups": "hpc-admins"}
        )
        assert answer.status_code == 404


def test_everybodys_sessions_are_an_admins_to_list_where_they_are_known(place: Place) -> None:
    """Here they are not: there is no Redis, and users' sides are not asked one by one."""
    everybody = {"user": "all"}
    with place.client(place.token(place.alice)) as client:
        assert client.get(SESSIONS, params=everybody).status_code == 404
    with place.client(place.admin_token()) as client:
        answer = client.get(SESSIONS, params=everybody)
        assert answer.status_code == 400 and "Redis" in answer.json()["message"]
        assert [field["field"] for field in answer.json()["error"]["fields"]] == ["user"]
    by = {"user": "all", "admin": str(place.side.other)}
    assert place.audited(action="list", **by)


@pytest.mark.parametrize("name", ["root", "no-such-user", "#0", ""])
def test_an_admin_reaches_users_and_no_other_account(place: Place, name: str) -> None:
    with place.client(place.admin_token()) as client:
        answer = client.get(SESSIONS, params={"user": name})
        assert answer.status_code in (404, 503) and "sessions" not in answer.json()


def test_what_a_user_launches_and_ends_by_the_page(place: Place) -> None:
    with place.client() as client:
        token = place.token(place.bob)
        client.post("/api/moonlight/login", headers={"Authorization": f"Bearer {token}"})
        proof = {"X-XSRFToken": client.cookies["_xsrf"]}
        made = client.post(SESSIONS, json={}, headers=proof)
        assert (made.status_code, made.json()["door"]) == (201, "portal"), made.text
        one = f"{SESSIONS}/{made.json()['session_id']}"
        with client.stream("GET", "/api/moonlight/events") as events:
            lines = events.iter_lines()
            first = next(line for line in lines if line.startswith("data:"))
            assert made.json()["session_id"] in first and str(place.alice) not in first
        assert client.delete(one).status_code == 403
        assert client.delete(one, headers=proof).status_code in (200, 202)
        wait_for(lambda: not _live(client), interval=SLOWLY)


def test_a_redis_that_is_followed_by_another_loses_nothing_and_ends_no_stream(
    place: Place, session: dict[str, Any]
) -> None:
    """By Sentinel: a service beside, whose master is killed."""
    login = {"Authorization": f"Bearer {place.token(place.alice)}"}
    with followed() as redis:
        word = place.config.parent / "service/redis.password"
        redis.master.password_file(word, place.side.service)
        settings = {
            "portal_redis_url": "redis://desks/0",
            "portal_redis_sentinels": [f"127.0.0.1:{redis.sentinel.port}"],
            "portal_redis_password_file": str(word),
            "portal_redis_sentinel_password_file": str(word),
            "portal_requests_per_minute": 6000,
        }
        with place.beside(**settings) as service:
            with httpx.Client(base_url=service.origin, headers=login, timeout=PATIENCE) as client:
                one = f"{SESSIONS}/{session['session_id']}"
                wait_for(lambda: client.get(one).json()["status"] == "running")
                asyncio.run(_followed(client, session, redis))
            assert "Traceback" not in service.log.read_text()
        word.unlink()


async def _followed(client: httpx.Client, session: dict[str, Any], redis: Followed) -> None:
    stream = await stream_of(client, session["web_url"])
    await carries(stream)
    key = f"moonlight:session:{session['session_id']}"
    with redis.master.client() as one, redis.copy.client() as other:
        token = one.hget(key, "secret:token")
        assert token
        wait_for(lambda: other.hget(key, "secret:token") == token)
        known = {name for name in one.keys("moonlight:session:*")}
    redis.master.kill()
    refused = client.get(SESSIONS)
    assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
    assert _code(refused) == "store_unavailable"
    await carries(stream)
    found = await asyncio.to_thread(wait_for, lambda: _sessions(client))
    assert (session["session_id"], "running") in [(s["session_id"], s["status"]) for s in found]
    await carries(stream)
    stream.close()
    with redis.copy.client() as other:
        assert other.info("replication")["role"] == "master"
        assert known <= set(other.keys("moonlight:session:*"))
        assert other.hget(key, "secret:token") == token, "it was put there anew"


def _sessions(client: httpx.Client) -> list[dict[str, Any]]:
    answer = client.get(SESSIONS)
    assert answer.status_code in (200, 503), answer.text
    found: list[dict[str, Any]] = answer.json().get("sessions", [])
    return found


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_an_admin_ends_a_users_session(place: Place, session: dict[str, Any]) -> None:
    one = f"{SESSIONS}/{session['session_id']}"
    with place.client(place.admin_token()) as client:
        assert client.delete(one).status_code == 404
        assert client.delete(one, params={"user": str(place.alice)}).status_code in (200, 202)
    with place.client(place.token(place.alice)) as client:
        wait_for(lambda: not _live(client), interval=SLOWLY)
    by = {"user": str(place.alice), "admin": str(place.side.other), "result": "done"}
    assert place.audited(action="stop", session=session["session_id"], **by)


def test_events_end_with_the_login(place: Place) -> None:
    token = place.token(place.bob, exp=int(time.time()) + 2)
    with place.client(token) as client, client.stream("GET", "/api/moonlight/events") as events:
        assert events.status_code == 200
        lines = list(events.iter_lines())  # until the service ends it
    assert lines[0].startswith("retry")
