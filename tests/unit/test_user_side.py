"""What the portal's service believes of a user's side, and how requests wait for their turn."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import uvloop
from moonlight_spawner.model.errors import (
    FieldError,
    InvalidRequest,
    LimitReached,
    MoonlightError,
    as_json,
)
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import Gateway, may_be_of, new_session_id
from moonlight_spawner.portal import protocol, sides
from moonlight_spawner.portal.answers import wrong_gateway
from moonlight_spawner.portal.places import Places
from moonlight_spawner.portal.user_side import UserSideManager
from moonlight_spawner.sessions.reach import gateway_target, token_of
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.settings import load_site_alone
from pydantic import BaseModel, ValidationError
from traitlets import TraitError

PEM = "-----BEGIN CERTIFICATE-----\nMIIBAA==\n-----END CERTIFICATE-----\n"


def gateway(*hosts: str, port: int = 40000, certificate: str = PEM) -> Gateway:
    return Gateway(hosts=list(hosts), port=port, certificate=certificate)


@pytest.mark.parametrize("host", ["n1", "n1.cluster.example", "10.1.0.7", "fd00:10::7", "gpu-3a"])
def test_a_node_is_gone_to(host: str) -> None:
    assert not wrong_gateway(gateway(host), local=False)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST."),
        *("a.localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::", "224.0.0.1"),
        # What getaddrinfo would take for an address, though it does not look like one.
        *("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "n1.127"),
        *("", " ", "n1 ", "n1/", "a@b", "[::1]", "n1:80", "n" * 64, "n." * 200, "n1\r\nHost: x"),
    ],
)
def test_the_portals_own_machine_and_what_is_no_host_are_not(host: str) -> None:
    assert wrong_gateway(gateway(host), local=False)
    assert wrong_gateway(gateway("n1", host), local=False)


def test_where_nodes_are_this_machine_its_loopback_is_the_node() -> None:
    assert not wrong_gateway(gateway("127.0.0.1", "localhost"), local=True)


@pytest.mark.parametrize(
    "wrong",
    [
        gateway("n1", port=443),
        gateway("n1", port=0),
        gateway("n1", port=70000),
        gateway("n1", certificate=""),
        gateway("n1", certificate="x"),
        gateway("n1", certificate=PEM + PEM),
        gateway("n1", certificate=PEM.replace("MIIB", "é" * 4)),
        gateway("n1", certificate=PEM.replace("MIIB", "A" * 20000)),
        gateway(),
        gateway(*["n1"] * 17),
    ],
    ids=str,
)
def test_a_gateway_without_port_certificate_or_address_is_not_gone_to(wrong: Gateway) -> None:
    """Without a certificate the hop would be plain HTTP: a word of the user's choice to any port."""
    assert wrong_gateway(wrong, local=True)


def test_the_token_passes_and_is_one_word_of_a_header() -> None:
    token = "a" * 43
    assert token_of(gateway_target(gateway("n1"), token.encode())) == token
    for wrong in ("", "short", "a" * 129, "a" * 40 + "\n", "a" * 40 + "\r\nX: y", "é" * 40):
        with pytest.raises(ValueError, match="token"):
            protocol.Reached.model_validate({"token": wrong})


def test_an_id_is_of_the_form_of_its_user() -> None:
    for user in ("alice", "Alice", "DOMAIN\\alice", "a" * 40, "...", "김"):
        assert may_be_of(user, new_session_id(user))
    for wrong in (
        "ml-bob-aaaaaaaaaa",
        "ml-alice-x-aaaaaaaaaa",
        "ml-alice-aaaaaaaaaa\n",
        "ml-alice-",
    ):
        assert not may_be_of("alice", wrong)
    assert not may_be_of("alice", "ml-alice-../../etc")


def test_an_error_comes_back_as_it_was() -> None:
    errors: list[MoonlightError] = [
        LimitReached("You have 4 desktops."),
        InvalidRequest([FieldError("hours", 99, "hours is 99.")]),
        InvalidRequest([FieldError("hours", float("nan"), "hours is nan.")]),
    ]
    for error in errors:
        back = protocol.read_error(protocol.error_line(error).rstrip())
        assert type(back) is type(error) and as_json(back) == as_json(error)
    assert protocol.read_error(b'{"sessions": []}') is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"message": 1}',
        b'{"message": "x", "error": {"code": "user_side_timeout"}}',
        b'{"message": "x", "error": {"code": "internal_error"}}',
        b'{"message": "%s", "error": {"code": "not_found"}}' % (b"x" * 9000),
        b'{"message": "x", "error": {"code": "invalid_request", "fields": [{"field": 1}]}}',
        b'{"message": "x", "error": {"code": "invalid_request", "fields": %s}}'
        % json.dumps([{"field": "f", "message": "m"}] * 65).encode(),
    ],
)
def test_an_error_that_no_side_may_give_is_not_believed(line: bytes) -> None:
    with pytest.raises(ValueError):
        protocol.read_error(line)


def _many(item: str, model: type[BaseModel], name: str) -> None:
    line = b'{"%s":[%s]}' % (name.encode(), b",".join([item.encode()] * 400_000))
    with pytest.raises(ValueError, match=r"it has over [0-9]+ values"):
        protocol.read_answer(line, model)


def test_an_answer_of_many_values_is_not_read() -> None:
    """Reading them takes microseconds each, and seconds where each is wrong; nobody is served then."""
    many: list[tuple[str, type[BaseModel], str]] = [
        *(("0", protocol.Recorded, "records"), ("{}", protocol.All, "sessions")),
        *(('""', protocol.Forgotten, "session_ids"), ("{}", protocol.LogEnds, "logs")),
        *(('"\\\\"', protocol.LogEnds, "logs"), ('{"a":[]}', protocol.Offered, "images")),
    ]
    for item, model, name in many:
        _many(item, model, name)
    value = ",".join(["[]"] * 100_000)
    error = (
        '{"message":"x","error":{"code":"invalid_request","fields":[{"field":"a","value":[%s]}]}}'
    )
    with pytest.raises(ValueError, match="values"):
        protocol.read_answer((error % value).encode(), protocol.One)


@pytest.mark.parametrize("text", ['a, "b", \\', '","' * 9, "\\\\,", '\\"', "가,\n"])
def test_a_text_is_one_value_whatever_is_in_it(text: str) -> None:
    logs = [{"name": "agent", "size": 1, "truncated": False, "text": text * 1000}] * 6
    found = protocol.read_answer(protocol.as_line({"logs": logs}), protocol.LogEnds)
    assert [log.text for log in found.logs] == [text * 1000] * 6


def test_lists_of_an_agent_are_as_long_as_an_agent_makes_them() -> None:
    step = {"id": "", "label": ""}
    for wrong in ({"steps": [step] * 65}, {"notes": [""] * 257}, {"steps": [{}] * 64}):
        with pytest.raises(ValidationError) as e:
            AgentStatus.model_validate(wrong)
        assert e.value.error_count() <= 2, "one is enough, and each is to be told"


def test_a_long_answer_is_taken_only_where_logs_were_asked_for() -> None:
    look = protocol.most_answer_bytes(protocol.Look())
    logs = protocol.Logs(session_id="ml-a-aaaaaaaaaa", tail=protocol.MOST_TAIL_BYTES)
    assert look <= 4 << 20 and protocol.most_answer_bytes(logs) > 6 * 6 * protocol.MOST_TAIL_BYTES


def test_a_place_is_taken_in_turn_and_none_is_lost() -> None:
    async def check() -> None:
        clock = asyncio.get_running_loop().time
        places = Places(1)
        assert await places.take(clock() + 100)
        assert not await places.take(clock())  # nothing became free
        first = asyncio.ensure_future(places.take(clock() + 100))
        second = asyncio.ensure_future(places.take(clock() + 100))
        third = asyncio.ensure_future(places.take(clock() + 100))
        await asyncio.sleep(0)
        places.give()
        first.cancel()  # in the moment in which it was given
        await asyncio.gather(first, return_exceptions=True)
        assert await second and not third.done()
        places.give()
        assert await third
        places.give()
        assert await places.take(clock() + 100)

    asyncio.run(check())


def test_what_is_asked_twice_at_once_is_asked_once_unless_something_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    async def check() -> None:
        manager = UserSideManager(MoonlightSite(scheduler="local"))
        go_on = asyncio.Event()

        async def ask(login: str, line: bytes, limit: int) -> bytes:
            asked.append(json.loads(line)["operation"])
            await go_on.wait()
            return b'{"sessions": []}'

        monkeypatch.setattr(manager._sides, "ask", ask)
        looks = [asyncio.ensure_future(manager.sessions("nobody")) for _ in range(3)]
        await asyncio.sleep(0)
        manager._changed("nobody")
        looks.append(asyncio.ensure_future(manager.sessions("nobody")))
        looks[0].cancel()  # the others are answered all the same
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*looks[1:]) == [[], [], []]
        await manager.close()

    asyncio.run(check())
    assert asked == ["look", "look"]


def test_a_stranger_s_id_needs_no_process() -> None:
    async def check() -> None:
        manager = UserSideManager(MoonlightSite(scheduler="local"))
        monkey = "ml-root-aaaaaaaaaa"
        for what in (manager.get, manager.stop, manager.logs, manager.reach):
            with pytest.raises(MoonlightError) as raised:
                await what("nobody", monkey)  # type: ignore[operator]
            assert raised.value.code == "not_found"
        await manager.close()

    asyncio.run(check())


def test_the_sites_settings_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONLIGHT_HPC_MAX_HOURS", "99")
    monkeypatch.setenv("MOONLIGHT_HPC_CONFIG", str(tmp_path / "not-there.py"))
    own = Path(os.environ["XDG_CONFIG_HOME"], "moonlight-hpc")
    own.mkdir(parents=True)
    config = tmp_path / "config.json"
    config.write_text('{"MoonlightSite": {"max_cpus": 7}}')
    config.chmod(0o644)
    try:
        (own / "config.json").write_text('{"MoonlightSite": {"max_hours": 98, "max_cpus": 97}}')
        site = load_site_alone(config)
    finally:
        (own / "config.json").unlink()
        own.rmdir()
    assert (site.max_hours, site.max_cpus) == (8.0, 7)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        load_site_alone(tmp_path / "not-there.py")


def test_the_command_is_a_whole_path() -> None:
    assert MoonlightSite().user_side_command[1:] == ["user-side"]
    for wrong in ([], ["moonlight-hpc", "user-side"]):
        with pytest.raises(TraitError, match="absolute path"):
            MoonlightSite(user_side_command=wrong)


async def _refusal(body: object, key: str | None = None) -> list[str]:
    site = MoonlightSite(scheduler="local", user_side_command=["/nothing/is/here"])
    manager = UserSideManager(site)
    try:
        await manager.create("nobody-of-this-name", body, key)
    except InvalidRequest as e:
        return [field.field for field in e.fields]
    finally:
        await manager.close()
    return []


def test_a_wrong_launch_needs_no_process_to_be_told_so() -> None:
    wrong = {"hours": 10**6, "resolution": "1x1", "colour": "red"}
    assert set(asyncio.run(_refusal(wrong))) == {"hours", "resolution", "colour"}
    assert asyncio.run(_refusal([])) == ["body"]
    assert asyncio.run(_refusal({}, "a b")) == ["Idempotency-Key"]


def test_what_stands_before_a_side_and_does_not_start_it_is_the_administrators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By whole names: a user's own program may begin its words with as little as "nice"."""

    def said_of(sudo: str) -> MoonlightError:
        monkeypatch.setattr(sides, "SUDO", sudo)
        with pytest.raises(MoonlightError) as caught:
            asyncio.run(sides.Sides(["/bin/true"], 10.0, 1, 1).ask("alice", b"{}\n", 1000))
        return caught.value

    missing = said_of("/nonexistent/sudo")  # nice says that, and ends
    assert missing.code == "user_side_unavailable" and "deploy/sudoers" in str(missing)
    assert said_of("/bin/true").code == "user_side_failed"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_side_that_has_ended_before_it_is_told_anything_is_no_fault_of_the_service(
    loop: str,
) -> None:
    async def told() -> bytes:
        here = asyncio.get_running_loop()
        transport, _ = await here.subprocess_exec(
            asyncio.SubprocessProtocol, "sh", "-c", "echo why >&2"
        )
        stdin: Any = transport.get_pipe_transport(0)
        stdin.close()
        await asyncio.sleep(0)
        side = sides._Side(b"{}\n", 1000)
        side.connection_made(transport)
        side.process_exited()
        side.pipe_connection_lost(1, None)
        assert not side.answered.done(), "it may say why"
        side.pipe_data_received(2, b"why\n")
        side.pipe_connection_lost(2, None)
        await side.answered
        transport.close()
        return side.errors

    run: Any = uvloop.run if loop == "uvloop" else asyncio.run
    assert run(told()) == b"why\n"


def test_what_a_side_has_started_does_not_hold_up_the_word_that_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, script = tmp_path / "left", tmp_path / "sudo"
    script.write_text(f"#!/bin/sh\nsleep 3600 >/dev/null & echo $! >{left}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sides, "SUDO", str(script))
    try:
        with pytest.raises(MoonlightError) as caught:
            asyncio.run(sides.Sides([], 3600.0, 1, 1).ask("alice", b"{}\n", 1000))
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)
    assert caught.value.code == "user_side_failed"
