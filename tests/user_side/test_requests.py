"""A session's life as the portal's service asks for it, in the user's own processes and files."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.cluster.processes import of_user
from tests.cluster.users import TestUser, run_as
from tests.support.waiting import PATIENCE, wait_for

from .portal import Portal, sides_of, sudos_of

LIFE = """
    from moonlight_spawner.sessions.control import control
    from moonlight_spawner.relay.upstream import call

    alice, bob = args
    body = {"image": "host-desktop", "hours": 1, "gpus": 0}
    session, created = await manager.launch(alice, body, "one-key")
    session_id = session.session_id
    again, anew = await manager.create(alice, body, "one-key")
    seen = {"created": created, "anew": anew, "same": again.session_id == session_id}
    seen["door"], seen["user"] = session.door, session.user
    before = await manager.reach(alice, session_id)
    while session.live and not session.status.value == "running":
        session = await manager.get(alice, session_id)
    seen["status"], seen["reason"] = session.status.value, session.reason
    seen["listed"] = [s.session_id for s in await manager.sessions(alice)] == [session_id]
    seen["bob"] = [s.session_id for s in await manager.sessions(bob)]
    for what in (manager.get, manager.stop, manager.reach, manager.logs):
        code, _ = await refused(what(bob, session_id))
        seen[f"bob's {what.__name__}"] = code
        # With an id in bob's form: his own side is asked, and has no such session.
        code, _ = await refused(what(bob, session_id.replace(alice, bob)))
        seen[f"bob's own {what.__name__}"] = code
    target = (await manager.reach(alice, session_id)).target
    seen["gateway"], _ = await control(target, "GET", "/clipboard")
    stranger = dict(target.headers)[b"authorization"][:-4] + b"AAAA"
    seen["stranger"], _ = await call(target, "GET", "/control/clipboard",
                                     [(b"authorization", stranger)])
    seen["logs"] = [log.name for log in await manager.logs(alice, session_id)]
    ended = await manager.stop(alice, session_id)
    while ended.live:
        ended = await manager.get(alice, session_id)
    seen["ended"], seen["code"] = ended.status.value, ended.reason_code
    reach = await manager.reach(alice, session_id)
    seen["after"] = [reach.target is None, reach.end and reach.end.code]
    seen["reaped"] = await manager.reap(alice)
    seen["images"] = [image.id for image in await manager.images_of(alice)]
    return seen
"""


def test_a_desktops_life(place: Portal, alice: TestUser, bob: TestUser) -> None:
    seen = place.serve(LIFE, alice, bob)
    assert seen["status"] == "running", seen["reason"]
    refusals = {value for name, value in seen.items() if name.startswith("bob's")}
    assert refusals == {"not_found"} and not seen["bob"]
    assert (seen["created"], seen["anew"], seen["same"], seen["listed"]) == (
        True,
        False,
        True,
        True,
    )
    assert (seen["door"], seen["user"]) == ("portal", alice.name)
    assert (seen["gateway"], seen["stranger"]) == (200, 401)
    assert {"agent", "desktop"} <= set(seen["logs"])
    assert (seen["ended"], seen["code"]) == ("cancelled", "StoppedByUser")
    assert seen["after"] == [True, "StoppedByUser"] and seen["reaped"] == []
    assert "host-desktop" in seen["images"]
    records = list((alice.home / "sessions").rglob("*.json"))
    assert records and {path.stat().st_uid for path in records} == {alice.uid}
    wait_for(lambda: not sides_of(alice) and not sides_of(bob))


CHOICES = """
    alice, bob = args
    wish = {"revision": "", "choices": {"presets": [{"name": "큰 것", "image": "desktop", "values": {}}]}}
    kept = await manager.keep_choices(alice, wish)
    seen = {"same": await manager.choices(alice) == kept, "name": kept.choices.presets[0].name}
    seen["late"], _ = await refused(manager.keep_choices(alice, wish))
    seen["bob"] = (await manager.choices(bob)).revision
    return seen
"""


def test_choices_are_kept_in_the_users_own_home(
    place: Portal, alice: TestUser, bob: TestUser
) -> None:
    seen = place.serve(CHOICES, alice, bob)
    assert seen == {"same": True, "name": "큰 것", "late": "choices_changed", "bob": ""}
    (file,) = (alice.home / "sessions").rglob("choices*.json")
    info = file.stat()
    assert (info.st_uid, info.st_mode & 0o777) == (alice.uid, 0o600)
    file.unlink()
    file.mkdir()
    refusal = "return await refused(manager.choices(args[0]))"
    code, message = place.serve(refusal, alice)
    assert code == "choices_unavailable" and str(file) in message


def test_a_user_widens_no_limit_by_his_own_settings(place: Portal, alice: TestUser) -> None:
    own = alice.home / ".config/moonlight-hpc/config.json"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"MoonlightSite": {"max_hours": 99.0}}))
    subprocess.run(
        ["chown", "-R", f"{alice.uid}:{alice.gid}", str(alice.home / ".config")], check=True
    )
    # They count at the doors that are his own.
    done = run_as(alice, [place.command[0], "session", "create", "--hours", "1000", "--json"])
    assert "allows 0.1 to 99" in done.stderr
    body = "return await refused(manager.create(args[0], {'hours': 99, 'color': 'red'}))"
    code, message = place.serve(body, alice)
    assert code == "invalid_request"
    assert "this site allows 0.1 to 8" in message and "no field color" in message


def test_a_wrong_request_names_its_fields_as_at_every_door(place: Portal, alice: TestUser) -> None:
    body = """
        from moonlight_spawner.model.errors import InvalidRequest
        try:
            await manager.create(args[0], {"hours": float("inf"), "cpus": "many"}, door="portal")
        except InvalidRequest as e:
            return [[field.field, field.value] for field in e.fields]
    """
    assert place.serve(body, alice) == [["hours", "inf"], ["cpus", "many"]]


@pytest.mark.parametrize(
    "request_line, field",
    [
        ("", "request"),
        ("nonsense", "request"),
        ("[" * 100_000, "request"),
        ("[]", "request"),
        ("{}", "request"),
        ('{"operation": "own"}', "request"),
        ('{"operation": "look", "user": "root"}', "look.user"),
        ('{"operation": "create", "door": "jupyterlab\\u0000"}', "create.door"),
        ('{"operation": "logs", "session_id": "ml-a-aaaaaaaaaa", "tail": 1e12}', "logs.tail"),
        ('{"operation": "create", "body": "' + "x" * 600_000 + '"}', "request"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_whatever_the_side_is_asked_it_answers_with_one_json(
    place: Portal, alice: TestUser, request_line: str, field: str
) -> None:
    done = run_as(alice, place.command, input=request_line)
    answer = json.loads(done.stdout)
    assert answer["error"]["code"] == "invalid_request" and done.stdout.count("\n") == 1
    assert [each["field"] for each in answer["error"]["fields"]] == [field]
    assert "Traceback" not in done.stderr + done.stdout


def test_a_callers_variables_steer_nothing(place: Portal, alice: TestUser) -> None:
    """sudo brings none; where a site's rule does, they are dropped."""
    names = ["HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "MOONLIGHT_HPC_CONFIG", "SLURM_JOB_ID"]
    env = {name: "/the-callers" for name in names}
    env |= {"MOONLIGHT_HPC_SESSIONS_DIR": "/the-callers", "MOONLIGHT_HPC_CPUS": "many"}
    done = run_as(alice, place.command, env=env, input='{"operation": "look"}')
    assert json.loads(done.stdout) == {"sessions": []}, done.stderr
    assert (alice.home / "sessions").is_dir()


@pytest.mark.parametrize(
    "settings, code, words",
    [
        ("raise SystemExit(3)", "user_side_failed", "its log says what"),
        ("c.MoonlightSite.cpus = 0", "user_side_failed", "settings are wrong"),
        ("print('a word')", None, ""),
    ],
)
def test_settings_that_fail_are_an_answer_too(
    place: Portal, alice: TestUser, settings: str, code: str | None, words: str
) -> None:
    config = place.config.with_name("other.py")
    config.write_text(place.config.read_text() + settings)
    config.chmod(0o644)
    argv = [*place.command[:-1], str(config)]
    done = run_as(alice, argv, input='{"operation": "look"}')
    answer = json.loads(done.stdout)
    assert answer.get("error", {}).get("code") == code and words in answer.get("message", "")
    assert "Traceback" not in done.stderr


def test_settings_that_others_than_root_may_write_are_not_read(
    place: Portal, alice: TestUser, bob: TestUser
) -> None:
    """They are run as every user: who could write them would be every user."""
    config = place.config.with_name("open.py")
    config.write_text(place.config.read_text())
    argv = [*place.command[:-1], str(config)]
    for owner, mode in ((bob.uid, 0o644), (0, 0o646), (0, 0o664), (place.service.uid, 0o644)):
        os.chown(config, owner, 0)
        config.chmod(mode)
        done = run_as(alice, argv, input='{"operation": "look"}')
        assert f"{config} is not read" in json.loads(done.stdout)["message"], done.stdout


@pytest.mark.parametrize("how", ["killed", "given up"])
def test_a_launch_that_has_begun_is_finished(place: Portal, alice: TestUser, how: str) -> None:
    """Whether the service is gone, or tells the side to end."""
    body = """
        import asyncio
        making = asyncio.ensure_future(manager.create(args[0], {"image": "host-desktop", "gpus": 0}))
        await asyncio.to_thread(sys.stdin.readline)
        making.cancel()
        return await asyncio.gather(making, return_exceptions=True) and "given up"
    """
    settings = {"user_side_command": place.command}
    service = place.start_serving(place.service, body, [alice.name], settings, talk=True)
    wait_for(lambda: list((alice.home / "sessions").rglob("facts.json")))
    if how == "killed":
        service.kill()
    service.communicate("go on\n", timeout=PATIENCE)
    wait_for(lambda: not sides_of(alice) and not sudos_of(place.service))
    assert len(list((alice.home / "sessions").rglob("job.json"))) == 1
    body = """
        (session,) = await manager.sessions(args[0])
        return (await manager.stop(args[0], session.session_id)).reason_code
    """
    assert place.serve(body, alice) != "SubmitLost"
    wait_for(lambda: not of_user(alice.uid))
