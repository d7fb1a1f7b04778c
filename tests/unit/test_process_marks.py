"""A process told from others: with its pid later, in another container, on another machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.processes import signs
from moonlight_spawner.processes.mark import ProcessMark, mark_of


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "7432"]) as process:
        yield process
        process.kill()


def test_a_process_lives_and_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    mark = mark_of(sleeper.pid)
    assert mark.here() and mark.alive() and not mark.gone()
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert mark.gone() and not mark.alive(), "a zombie has ended"
    sleeper.wait()
    assert mark.gone() and not mark.alive()
    with pytest.raises(OSError):
        mark_of(sleeper.pid)


def test_a_later_process_with_its_pid_is_another(sleeper: subprocess.Popen[bytes]) -> None:
    earlier = mark_of(sleeper.pid).model_copy(update={"ticks": 1})
    assert earlier.gone() and not earlier.alive()


def test_a_mark_survives_its_record_and_older_versions_records_count() -> None:
    mark = mark_of(os.getpid())
    assert ProcessMark.model_validate_json(mark.model_dump_json()) == mark
    old = ProcessMark(pid=mark.pid, boot=mark.boot, ticks=mark.ticks)
    assert old.alive()
    assert not old.model_copy(update={"boot": "another"}).gone(), "of which machine?"


ELSEWHERE = {
    "a clone with the same name": {"boot": "another", "machine": "another"},
    "a container that was started elsewhere": {"boot": "another", "machine": ""},
    "another container of this machine": {"pids": "pid:[1]"},
    "another container of another machine": {"boot": "another", "pids": "pid:[1]", "machine": ""},
}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_cannot_be_seen_from_here_is_neither_alive_nor_gone(
    sleeper: subprocess.Popen[bytes], change: dict[str, str]
) -> None:
    there = mark_of(sleeper.pid).model_copy(update=change)
    assert not there.alive() and not there.gone() and not there.here()


def test_what_ran_before_this_machine_was_started_is_gone(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card = tmp_path / "net" / "eth0"
    (card / "device").mkdir(parents=True)
    (card / "address").write_text("02:00:00:00:00:01\n")
    monkeypatch.setattr(signs, "_INTERFACES", tmp_path / "net")
    before = mark_of(sleeper.pid).model_copy(update={"boot": "the boot before"})
    assert before.machine and before.gone() and not before.alive()
    (card / "address").write_text("02:00:00:00:00:02\n")
    assert not before.gone(), "a clone: its name and its disk, but another card"


def test_a_machine_that_has_no_hardware_is_nobodys_later_self(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "address").write_text("02:42:ac:11:00:02\n")
    monkeypatch.setattr(signs, "_INTERFACES", tmp_path)
    assert mark_of(os.getpid()).machine == ""


def test_where_no_boot_can_be_read_the_name_of_the_host_decides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(signs, "_BOOT_ID", tmp_path / "nothing")
    mark = mark_of(os.getpid())
    assert mark.boot == "" and mark.alive()
    other = mark.model_copy(update={"host": "another"})
    assert not other.alive() and not other.gone()


LOOK = """
import json, sys
from moonlight_spawner.processes.mark import ProcessMark
mark = ProcessMark.model_validate_json(sys.argv[1])
print(json.dumps([mark.here(), mark.alive(), mark.gone()]))
"""


def test_a_container_with_pids_of_its_own_takes_nobody_for_dead(
    sleeper: subprocess.Popen[bytes],
) -> None:
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LOOK]
    argv.append(mark_of(sleeper.pid).model_dump_json())
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == [False, False, False]
