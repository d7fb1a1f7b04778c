"""Services over one Redis: what they show of their users' sessions, and what that costs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jwt

from tests.cluster.users import TestUser, as_user, run_as
from tests.portal.place import free_ports
from tests.support.waiting import PATIENCE, wait_for
from tests.user_side.hanging import hanging
from tests.user_side.portal import sides_of, sudos_of

from .conftest import Place

# What users' sides are asked, one process each.
COUNTED = """
    asked = []
    ask = manager._sides.ask
    async def counted(login, request, limit):
        asked.append(json.loads(request)["operation"])
        return await ask(login, request, limit)
    manager._sides.ask = counted
"""

LIFE = (
    COUNTED
    + """
    from moonlight_spawner.model.records import AgentStatus
    from moonlight_spawner.portal import derived, freshness
    from moonlight_spawner.sessions.control import control
    alice, bob = args
    def words():
        return manager._store.snapshot(alice).get(alice, session_id, "status", AgentStatus)
    seen = {}
    session, _ = await manager.launch(alice, {"image": "host-desktop", "hours": 1, "gpus": 0, "name": "가"})
    session_id = session.session_id
    at_once = [s.session_id for s in await manager.known_sessions()]
    seen["at once"] = at_once == [session_id] and asked == ["create"]
    while session.live and session.status.value != "running":
        session = await manager.get(alice, session_id)
        await asyncio.sleep(0.05)
    seen["status"] = [session.status.value, session.reason]
    asked.clear()
    for _ in range(20):
        seen["listed"] = [s.session_id for s in await manager.sessions(alice)] == [session_id]
        target = (await manager.reach(alice, session_id)).target
    seen["asked"] = list(asked)
    seen["gateway"], _ = await control(target, "GET", "/clipboard")
    kept = freshness.RUNNING_SECONDS, freshness.SOON_SECONDS
    derived._SECONDS = 0.0
    freshness.RUNNING_SECONDS = freshness.SOON_SECONDS = -1.0  # all that its agent has told is old
    before, paid = words(), manager._sides._of(alice).paid_at
    while words().beat == before.beat:
        await manager.sessions(alice)
        await asyncio.sleep(0.05)
    seen["asked its gateway"] = list(asked)
    seen["read at her cost"] = manager._sides._of(alice).paid_at > paid
    moved = words().model_copy(update={"sequence": before.sequence + 1})
    moved.gateway.port, moved.gateway.socket = 1, ""
    await manager.heard(alice, session_id, moved)
    while not asked:
        await manager.sessions(alice)
        await asyncio.sleep(0.05)
    seen["asked then"] = list(asked)
    freshness.RUNNING_SECONDS, freshness.SOON_SECONDS = kept
    seen["bob"] = [s.session_id for s in await manager.sessions(bob)]
    for what in (manager.get, manager.stop, manager.reach, manager.logs, manager.forget):
        seen[f"bob's {what.__name__}"] = (await refused(what(bob, session_id)))[0]
    seen["bob's rename"] = (await refused(manager.rename(bob, session_id, {"name": "b"})))[0]
    names = [(await manager.get(alice, session_id)).name]
    names.append((await manager.rename(alice, session_id, {"name": "나"})).name)
    seen["names"] = [*names, (await manager.sessions(alice))[0].name]
    seen["forgotten alive"] = (await refused(manager.forget(alice, session_id)))[0]
    ended = await manager.stop(alice, session_id)
    seen["stopping"] = ended.status.value, (await manager.sessions(alice))[0].status.value
    while ended.live:
        ended = await manager.get(alice, session_id)
        await asyncio.sleep(0.05)
    seen["ended"] = ended.reason_code
    reach = await manager.reach(alice, session_id)
    seen["after"] = [reach.target is None, reach.end and reach.end.code]
    while not (forgotten := await manager.forget(alice)):  # its last processes are being ended
        await asyncio.sleep(0.05)
    seen["forgotten"] = forgotten == [session_id]
    seen["left"] = [await manager.sessions(alice), await manager.known_sessions()]
    return seen
"""
)


def test_a_desktops_life(place: Place, alice: TestUser, bob: TestUser) -> None:
    """As without a Redis; and to look at it costs its user no process while its agent is heard of, or
    its gateway answers."""
    seen = place.serve(LIFE, alice, bob)
    assert seen["status"][0] == "running", seen["status"]
    assert seen["at once"] and seen["listed"] and seen["gateway"] == 200
    assert seen["asked"] == seen["asked its gateway"] == [] and seen["bob"] == []
    assert seen["asked then"] == ["records"] and seen["read at her cost"]
    assert {value for name, value in seen.items() if name.startswith("bob's")} == {"not_found"}
    assert set(seen["stopping"]) <= {"stopping", "cancelled"}
    assert seen["names"] == ["가", "나", "나"] and seen["forgotten alive"] == "session_lives"
    assert seen["forgotten"] and seen["left"] == [[], []]
    assert seen["ended"] == "StoppedByUser" and seen["after"] == [True, "StoppedByUser"]


RECORD = """
import sys
from datetime import datetime, timezone
from moonlight_spawner.model.records import Facts, Job
from moonlight_spawner.model.session import End, State
from moonlight_spawner.sessions.damage import _NOBODY_KNOWS
from moonlight_spawner.store import FileStore
store = FileStore("~/sessions".replace("~", sys.argv[1]))
for session_id in sys.argv[2:]:
    facts = Facts(session_id=session_id, user=store.user, image_id="d", image_name="D", host="selkies",
                  scheduler="slurm", place="elsewhere", door="jupyterlab", request=_NOBODY_KNOWS)
    store.put(store.user, session_id, "facts", facts)
    store.put(store.user, session_id, "job", Job(job_id="7"))
"""


def put(user: TestUser, *session_ids: str) -> None:
    """Sessions of another door and another cluster: nobody here ends them."""

    done = run_as(user, [sys.executable, "-c", RECORD, str(user.home), *session_ids])
    assert done.returncode == 0, done.stderr


def ids(user: TestUser, *ends: str) -> list[str]:
    return [f"ml-{user}-{end * 10}" for end in ends]


LISTED = "return [sorted(s.session_id for s in await manager.sessions(user)) for user in args]"


def test_sessions_of_other_doors_appear_and_a_redis_that_is_emptied_is_filled_again(
    place: Place, alice: TestUser, bob: TestUser
) -> None:
    put(alice, *ids(alice, "a"))
    expected = [ids(alice, "a"), []]
    assert place.serve(LISTED, alice, bob) == expected
    place.emptied()
    assert place.serve(LISTED, alice, bob) == expected
    put(alice, *ids(alice, "b"))
    body = """
        alice, = args
        before = len(await manager.known_sessions())
        await manager.adopt(alice)
        return [before, sorted(s.session_id for s in await manager.known_sessions())]
    """
    assert place.serve(body, alice) == [1, ids(alice, "a", "b")]


HANGING = (
    COUNTED
    + """
    manager._view.age = lambda user: asyncio.sleep(0, 1000.0)  # all that is known is old
    seen = [sorted(s.session_id for s in await manager.sessions(user)) for user in args]
    while "records" not in asked:
        await asyncio.sleep(0.05)
    again = [sorted(s.session_id for s in await manager.sessions(user)) for user in args]
    return [seen, again]
"""
)


def test_a_home_that_hangs_holds_up_nobody_and_hides_nothing(
    place: Place, alice: TestUser, bob: TestUser
) -> None:
    put(alice, *ids(alice, "a"))
    put(bob, *ids(bob, "a"))
    expected = [ids(alice, "a"), ids(bob, "a")]
    assert place.serve(LISTED, alice, bob) == expected
    (alice.home / "sessions").rename(alice.home / "side")
    with hanging(alice.home / "sessions"):
        assert place.serve(HANGING, alice, bob) == [expected, expected]
        wait_for(lambda: not sides_of(alice) and not sudos_of(place.side.service))


def test_a_service_that_is_killed_while_it_launches_loses_nothing(
    place: Place, alice: TestUser
) -> None:
    body = 'await manager.create(args[0], {"image": "host-desktop", "gpus": 0})'
    settings = {"user_side_command": place.side.command, **place.settings}
    service = place.side.start_serving(place.side.service, body, [alice.name], settings)
    wait_for(lambda: list((alice.home / "sessions").rglob("facts.json")))
    service.kill()
    service.communicate(timeout=PATIENCE)
    wait_for(lambda: not sides_of(alice))
    body = """
        (session,) = await manager.sessions(args[0])
        await manager.stop(args[0], session.session_id)
        return session.session_id
    """
    (record,) = (alice.home / "sessions").rglob("facts.json")
    assert place.serve(body, alice) == record.parent.name


def test_two_services_show_the_same(place: Place, alice: TestUser, bob: TestUser) -> None:
    body = """
        from moonlight_spawner.portal.manager import portal_manager
        other = portal_manager(manager.site)
        alice, bob = args
        one, _ = await manager.create(alice, {"image": "host-desktop", "gpus": 0}, "key")
        same, anew = await other.create(alice, {"image": "host-desktop", "gpus": 0}, "key")
        seen = [same.session_id == one.session_id, anew]
        ends = []
        for service in (manager, other):
            seen.append([s.session_id for s in await service.sessions(alice)] == [one.session_id])
            seen.append(len(await service.known_sessions()))
        await other.stop(alice, one.session_id)
        while any(s.live for s in await manager.sessions(alice)):
            await asyncio.sleep(0.05)
        for service in (manager, other):
            (session,) = await service.sessions(alice)
            ends.append([session.reason_code, str(session.ended_at)])
        await other.close()
        return [seen, ends[0] == ends[1], ends[0][0]]
    """
    seen = place.serve(body, alice, bob)
    assert seen == [[True, False, True, 1, True, 1], True, "StoppedByUser"]


def test_without_its_redis_nothing_is_shown_and_a_stop_is_done_all_the_same(
    place: Place, alice: TestUser
) -> None:
    put(alice, *ids(alice, "a"))
    body = """
        alice, session_id = args
        return [len(await manager.sessions(alice))]
    """
    assert place.serve(body, alice, *ids(alice, "a")) == [1]
    away = {"portal_redis_url": "redis://127.0.0.1:1/0"}
    body = """
        alice, session_id = args
        seen = [(await refused(ask))[0] for ask in
                (manager.sessions(alice), manager.get(alice, session_id), manager.known_sessions())]
        return [seen, (await manager.stop(alice, session_id)).session_id == session_id]
    """
    assert place.serve(body, alice, *ids(alice, "a"), **away) == [["store_unavailable"] * 3, True]
    (stop,) = (alice.home / "sessions").rglob("stop.json")
    assert stop.parent.name == ids(alice, "a")[0]


ANSWER = """
import json, sys
request = json.loads(sys.stdin.readline())
print(json.dumps({"records": json.loads(sys.argv[1])}) if request["operation"] == "records" else "{}")
"""


def test_a_hostile_side_says_nothing_of_others(
    place: Place, alice: TestUser, bob: TestUser
) -> None:
    record = {
        "facts": {
            **{"session_id": ids(alice, "a")[0], "user": alice.name, "image_id": "d"},
            **{"image_name": "D", "host": "selkies", "scheduler": "local"},
            "request": {
                **{"image": "d", "hours": 1, "cpus": 1, "memory_gb": 1, "gpus": 0},
                **{"resolution": "800x600", "fps": 30},
            },
        }
    }
    foreign = json.loads(json.dumps(record))
    foreign["facts"] |= {"session_id": ids(bob, "a")[0], "user": bob.name}
    named = json.loads(json.dumps(record))
    named["facts"]["user"] = bob.name
    body = """
        alice, bob = args
        return [await refused(manager.sessions(alice)),
                [[s.user, s.session_id] for s in await manager.known_sessions()]]
    """

    def answered(*records: object) -> list[object]:
        side = alice.home / "side"
        side.write_text(f"exec python3 -c '{ANSWER}' '{json.dumps(records)}'\n")
        os.chown(side, alice.uid, alice.gid)
        place.emptied()
        (code, _), known = place.serve_hostile(body, alice, bob)
        return [code, known]

    assert answered(record) == ["answered", [[alice.name, ids(alice, "a")[0]]]]
    for records in ([foreign], [record, foreign], [named], [record, record], [record] * 300):
        assert answered(*records) == ["user_side_failed", []]


def test_the_service_shows_what_is_in_its_redis(
    place: Place, alice: TestUser, bob: TestUser, tmp_path: Path
) -> None:
    """Also once its user's side cannot be asked any more."""
    put(alice, *ids(alice, "a"))
    service = place.side.service
    (port,) = free_ports(1)
    secret = place.redis.directory / service.name / "secret"
    secret.write_text("s" * 40)
    os.chown(secret, service.uid, service.gid)
    secret.chmod(0o600)
    settings = {
        **place.settings,
        **{"user_side_command": place.side.command, "portal_port": port},
        **{"portal_signaling_port": 0, "portal_algorithm": "HS256"},
        **{"portal_secret_file": str(secret), "portal_user_claim": "sub"},
        "portal_admin_claims": {"groups": ["admins"]},
    }
    config = place.side.config.with_name("shared.py")
    lines = [f"c.MoonlightSite.{name} = {value!r}\n" for name, value in settings.items()]
    config.write_text(place.side.config.read_text() + "".join(lines))
    config.chmod(0o644)
    argv = [place.side.command[0], "serve", "--config", str(config)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, **as_user(service))
    try:
        claims = {"exp": time.time() + 600}
        tokens = [
            jwt.encode({**claims, "sub": user.name}, "s" * 40, "HS256") for user in (alice, bob)
        ]

        def listed(token: str) -> list[str] | None:
            with contextlib.suppress(httpx.TransportError):
                address = f"http://127.0.0.1:{port}/api/moonlight/sessions"
                answer = httpx.get(
                    address, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE
                )
                return [session["session_id"] for session in answer.json()["sessions"]]
            assert process.poll() is None, (tmp_path / "log").read_text()
            return None

        assert wait_for(lambda: listed(tokens[0])) == ids(alice, "a")
        assert listed(tokens[1]) == []
        boss = jwt.encode({**claims, "sub": bob.name, "groups": ["admins"]}, "s" * 40, "HS256")
        everybody = {"user": "all", "limit": "1", "image": "d"}
        address = f"http://127.0.0.1:{port}/api/moonlight/sessions"
        pages = [
            httpx.get(
                address,
                params=everybody,
                headers={"Authorization": f"Bearer {token}"},
                timeout=PATIENCE,
            )
            for token in (boss, tokens[1])
        ]
        assert [page.status_code for page in pages] == [200, 404]
        assert [s["session_id"] for s in pages[0].json()["sessions"]] == ids(alice, "a")
        assert pages[0].headers["x-total-count"] == "1"
        with place.redis.client() as client:
            wait_for(lambda: client.exists("moonlight:rounds"))
        (alice.home / "sessions").rename(alice.home / "side")
        with place.redis.client() as client:
            assert client.hexists("moonlight:adopted", alice.name)
            assert client.hexists("moonlight:adopted", bob.name)
        assert listed(tokens[0]) == ids(alice, "a")
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert "Traceback" not in (tmp_path / "log").read_text()
    with place.redis.client() as client:
        assert not client.exists("moonlight:rounds"), "another service need not wait"
