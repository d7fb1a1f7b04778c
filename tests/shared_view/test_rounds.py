"""What is done for all users is done by one of two services, and by the other once that is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.users import TestUser, as_user
from tests.portal.place import free_ports
from tests.support.long_ago import one_of_long_ago
from tests.support.waiting import GRACE, PATIENCE, wait_for

from .conftest import Place

MAKES = "this service makes the portal's rounds"

Start = Callable[[], tuple[subprocess.Popen[bytes], Path]]


@pytest.fixture
def start(place: Place, tmp_path: Path) -> Iterator[Start]:
    """A whole service; it gives the process and its log."""
    account, made = place.side.service, []
    secret = place.redis.directory / account.name / "secret"
    secret.touch(mode=0o600)
    secret.write_text("s" * 40)
    os.chown(secret, account.uid, account.gid)

    def begin() -> tuple[subprocess.Popen[bytes], Path]:
        (port,) = free_ports(1)
        settings = {
            **place.settings,
            **{"user_side_command": place.side.command, "portal_port": port},
            **{"portal_signaling_port": 0, "portal_algorithm": "HS256"},
            "portal_secret_file": str(secret),
        }
        config = place.side.config.with_name(f"rounds-{port}.py")
        lines = [f"c.MoonlightSite.{name} = {value!r}\n" for name, value in settings.items()]
        config.write_text(place.side.config.read_text() + "".join(lines))
        config.chmod(0o644)
        log = tmp_path / f"{port}.log"
        argv = [place.side.command[0], "serve", "--config", str(config)]
        with log.open("wb") as out:
            process = subprocess.Popen(argv, stdout=out, stderr=out, **as_user(account))
        made.append(process)
        wait_for(lambda: "moonlight/" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return process, log

    yield begin
    for process in made:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_who_is_killed_is_followed_by_another_that_does_the_work(
    place: Place, start: Start, alice: TestUser
) -> None:
    first, log = start()
    wait_for(lambda: MAKES in log.read_text())
    second, other = start()
    record = one_of_long_ago(alice)
    first.kill()
    place.serve("await manager.adopt(args[0])", alice)
    wait_for(lambda: MAKES in other.read_text())
    wait_for(lambda: not record.exists())
    wait_for(lambda: f"forgot user={alice} sessions={record.name}" in other.read_text())
    with place.redis.client() as client:
        wait_for(lambda: not client.exists(f"moonlight:session:{record.name}"))
    second.terminate()
    assert second.wait(PATIENCE) == 0
    assert "Traceback" not in other.read_text()
    with place.redis.client() as client:
        assert not client.exists("moonlight:rounds"), "another service need not wait"
