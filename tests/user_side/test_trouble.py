"""Homes that hang, users who are hostile to the service, accounts that are not there: each costs only
himself, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import PATIENCE, wait_for

from .hanging import hanging
from .portal import Portal, sides_of, sudos_of

BESIDE = """
    import asyncio, time
    alice, bob = args
    asking = [manager.create(alice, {"image": "host-desktop", "gpus": 0})]
    asking += [manager.get(alice, f"ml-{alice}-{n * 10}") for n in "abcde"]
    asked = [asyncio.ensure_future(refused(one)) for one in asking]
    seen = {"bob": [s.session_id for s in await manager.sessions(bob)]}
    seen["alice waited"] = not any(one.done() for one in asked)
    seen["alice"] = [(await one)[0] for one in asked]
    seen["then"] = await refused(manager.sessions(alice))
    seen["bob again"] = [s.session_id for s in await manager.sessions(bob)]
    return seen
"""


def test_a_home_that_hangs_holds_up_nobody_else(
    place: Portal, alice: TestUser, bob: TestUser
) -> None:
    with hanging(alice.home / "sessions"):
        # Two places for all, two of each user: alice's wait, and do not keep them.
        seen = place.serve(
            BESIDE, alice, bob, user_sides=2, user_sides_each=2, user_side_seconds=12
        )
        assert seen["alice waited"] and seen["bob"] == seen["bob again"] == []
        assert seen["alice"][0] == "user_side_timeout"
        assert set(seen["alice"]) <= {"user_side_timeout", "user_side_busy"}
        # The hang can be interrupted, so it was ended; but for the launch, which goes on to its end.
        wait_for(lambda: len(sides_of(alice)) == 1)
    wait_for(lambda: not sides_of(alice) and not sudos_of(place.service))
    assert place.serve("return await refused(manager.sessions(args[0]))", alice)[0] == "answered"


def test_the_programs_own_alarm_ends_it_where_it_hangs(place: Portal, alice: TestUser) -> None:
    """Also when the service is gone, and nobody tells it."""
    config = place.config.with_name("short.py")
    config.write_text(place.config.read_text() + "c.MoonlightSite.user_side_seconds = 1\n")
    config.chmod(0o644)
    with hanging(alice.home / "sessions"):
        argv = [*place.command[:-1], str(config)]
        done = run_as(alice, argv, input='{"operation": "look"}')
        assert done.returncode == -signal.SIGALRM and not done.stdout


def test_a_request_that_is_given_up_ends_its_process(place: Portal, alice: TestUser) -> None:
    body = """
        import asyncio
        look = asyncio.ensure_future(manager.get(args[0], f"ml-{args[0]}-aaaaaaaaaa"))
        await asyncio.to_thread(sys.stdin.readline)
        look.cancel()
        return await asyncio.gather(look, return_exceptions=True) and "given up"
    """
    with hanging(alice.home / "sessions"):
        settings = {"user_side_command": place.command}
        service = place.start_serving(place.service, body, [alice.name], settings, talk=True)
        (side,) = wait_for(lambda: sides_of(alice))
        nice = os.getpriority(os.PRIO_PROCESS, side)
        assert nice == 0, "where there is no batch system desktops begin there"
        out, errors = service.communicate("go on\n", timeout=PATIENCE)
        assert json.loads(out) == "given up" and not errors
        wait_for(lambda: not sides_of(alice))


def test_a_side_comes_after_the_service_where_there_is_not_enough_of_the_processor(
    place: Portal, alice: TestUser
) -> None:
    body = """
        import asyncio
        look = asyncio.ensure_future(refused(manager.sessions(args[0])))
        await asyncio.to_thread(sys.stdin.readline)
        return await look
    """
    settings = {"user_side_command": place.command, "user_side_seconds": 5, "scheduler": "slurm"}
    with hanging(alice.home / "sessions"):
        service = place.start_serving(place.service, body, [alice.name], settings, talk=True)
        (side,) = wait_for(lambda: sides_of(alice))
        seen = [os.getpriority(os.PRIO_PROCESS, pid) for pid in (side, *sudos_of(place.service))]
        assert seen == [10, 10] and os.getpriority(os.PRIO_PROCESS, service.pid) == 0
        back = run_as(alice, ["renice", "-n", "0", "-p", str(side)])
        assert back.returncode and "Permission denied" in back.stderr
        out, _ = service.communicate("go on\n", timeout=PATIENCE)
        assert json.loads(out)[0] == "user_side_timeout"
        wait_for(lambda: not sides_of(alice))


def test_what_its_user_has_stopped_is_ended(place: Portal, alice: TestUser) -> None:
    """sudo stops itself with it, time limit and all: the service lets both go on, to their end."""
    body = """
        import asyncio
        answer = await refused(manager.get(args[0], f"ml-{args[0]}-aaaaaaaaaa"))
        await asyncio.to_thread(sys.stdin.readline)
        return answer[0]
    """
    settings = {"user_side_command": place.command, "user_side_seconds": 5}
    with hanging(alice.home / "sessions"):
        args = (place.service, body, [alice.name], settings)
        service = place.start_serving(*args, talk=True)
        (side,) = wait_for(lambda: sides_of(alice))
        os.kill(side, signal.SIGSTOP)
        wait_for(lambda: not sides_of(alice) and not sudos_of(place.service))
        out, _ = service.communicate("go on\n", timeout=PATIENCE)
        assert json.loads(out) == "user_side_timeout"


FOREIGN = """
import json, sys
session = {"session_id": "ml-root-aaaaaaaaaa", "user": "root", "image_id": "d", "image_name": "D",
  "status": "running", "host": "selkies", "scheduler": "local", "created_at": "2026-01-01T00:00:00Z",
  "request": {"image": "d", "hours": 1, "cpus": 1, "memory_gb": 1, "gpus": 0,
              "resolution": "800x600", "fps": 30}}
session.update(json.loads(sys.argv[1]))
print(json.dumps({"sessions": [session] * int(sys.argv[2])}))
"""


UNKNOWN = """echo '{"message": "x", "error": {"code": "unknown"}}'"""


def _foreign(count: int = 1, **fields: str) -> Callable[[TestUser], str]:
    """A side that answers with a session of these fields."""

    def side(user: TestUser) -> str:
        own = {"user": user.name, "session_id": f"ml-{user.name}-aaaaaaaaaa", **fields}
        return f"python3 - '{json.dumps(own)}' {count} <<'END'\n{FOREIGN}\nEND\n"

    return side


@pytest.mark.parametrize(
    "side, code, words",
    [
        (lambda _: "exec yes", "user_side_failed", "cannot be believed"),
        (lambda _: "yes | tr -d '\\n'", "user_side_failed", "more than"),
        (lambda _: "exec sleep 7432", "user_side_timeout", "has not answered within"),
        (lambda _: "trap '' TERM HUP; sleep 7432; sleep 7432", "user_side_timeout", "not answered"),
        (lambda _: "yes >&2; :", "user_side_timeout", "has not answered within"),
        (lambda _: "exit 3", "user_side_failed", "ended without an answer"),
        (lambda _: "echo sorry >&2; exit 1", "user_side_failed", "an answer: sorry"),
        (lambda _: "printf '{\"sessions\": []}'", "user_side_failed", "ended without an answer"),
        (lambda _: "echo '{\"sessions\": 1}'", "user_side_failed", "sessions"),
        (
            lambda _: "head -c 2000000 /dev/zero | tr '\\0' '['; echo",
            "user_side_failed",
            "believed",
        ),
        (lambda _: "head -c 2000000 /dev/zero | tr '\\0' 9; echo", "user_side_failed", "believed"),
        (lambda _: UNKNOWN, "user_side_failed", "no error unknown"),
        (_foreign(user="root"), "user_side_failed", "somebody else"),
        (_foreign(session_id="ml-root-aaaaaaaaaa"), "user_side_failed", "somebody else"),
        (_foreign(2), "user_side_failed", "twice"),
        (_foreign(slurm_job_id="1; scancel 2"), "user_side_failed", "no id of a job"),
        (_foreign(), "answered", "aaaaaaaaaa"),
        (lambda user: _foreign()(user) + "sleep 7432", "answered", "aaaaaaaaaa"),
    ],
)
def test_what_a_hostile_side_answers_is_bounded_and_checked(
    place: Portal,
    alice: TestUser,
    side: Callable[[TestUser], str],
    code: str,
    words: str,
) -> None:
    (alice.home / "side").write_text(side(alice) + "\n")
    # Waiting is told from answering by the time that is given: short where nothing comes anyway.
    seconds = 4 if code == "user_side_timeout" else 60
    body = "return await refused(manager.sessions(args[0]))"
    found = place.serve_hostile(body, alice, user_side_seconds=seconds)
    assert found[0] == code and words in found[1], found
    if code != "answered" and "trap" not in side(alice):
        wait_for(lambda: not sudos_of(place.hostile) and not sides_of(alice))
    for pid in sides_of(alice):
        os.kill(pid, signal.SIGKILL)


def test_what_it_costs_to_read_a_users_answers_is_his(
    place: Portal, alice: TestUser, bob: TestUser
) -> None:
    for user in (alice, bob):
        (user.home / "side").write_text("""echo '{"sessions": []}'\n""")
    body = """
        import time
        alice, bob = args
        seen = [await refused(manager.sessions(alice)), await refused(manager.sessions(alice))]
        with manager._sides.reading(alice):
            time.sleep(1.5)
        seen += [await refused(manager.sessions(user)) for user in args]
        asyncio.get_running_loop().time = lambda: time.monotonic() + 16
        return [*seen, await refused(manager.sessions(alice))]
    """
    seen = place.serve_hostile(body, alice, bob)
    assert [code for code, _ in seen] == ["answered"] * 2 + ["user_side_busy"] + ["answered"] * 2
    assert "too long to read. Try again in 1" in seen[2][1]


def test_what_a_side_complains_of_is_read_no_faster_than_it_is_worth(
    place: Portal, alice: TestUser
) -> None:
    (alice.home / "side").write_text("exec yes >&2\n")
    body = """
        import asyncio
        from moonlight_spawner.portal.sides import _Side
        read, receive = [0], _Side.pipe_data_received
        def counted(side, fd, data):
            read[0] += len(data)
            receive(side, fd, data)
        _Side.pipe_data_received = counted
        asking = asyncio.ensure_future(manager.sessions(args[0]))
        while not read[0]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        asking.cancel()
        return read[0]
    """
    read = place.serve_hostile(body, alice)
    assert 0 < read < 8 << 20, "the service's loop did nothing else"
    wait_for(lambda: not sides_of(alice))


def test_who_cannot_be_acted_for_is_told_why(place: Portal, alice: TestUser) -> None:
    body = """
        return {user: await refused(manager.sessions(user)) for user in args}
    """
    nobody = f"{alice.name}x"
    seen = place.serve(body, nobody, place.other, "root", "#0", "-l", "")
    assert {code for code, _ in seen.values()} == {"user_side_unavailable"}
    assert "has no account on the portal's machine" in seen[nobody][1]
    assert "deploy/sudoers/moonlight-hpc" in seen[place.other.name][1]
    assert "a password is required" in seen[place.other.name][1]
    assert "ordinary account" in seen["root"][1]


def test_a_service_without_a_rule_says_that(place: Portal, alice: TestUser) -> None:
    command = [*place.command, "--version"]
    body = "return await refused(manager.sessions(args[0]))"
    code, message = place.serve(body, alice, user_side_command=command)
    assert code == "user_side_unavailable" and "deploy/sudoers/moonlight-hpc" in message
    assert " ".join(command) in message


def test_an_account_without_a_home_is_told_so(place: Portal, bob: TestUser) -> None:
    away = Path(f"{bob.home}.away")
    bob.home.rename(away)
    try:
        body = "return await refused(manager.create(args[0], {}))"
        code, message = place.serve(body, bob)
    finally:
        shutil.rmtree(bob.home, ignore_errors=True)
        away.rename(bob.home)
    assert code == "unsafe_directory" and str(bob.home) in message and "sessions_dir" in message
