"""How many of the suite's tests compute at once."""

from __future__ import annotations

from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.cores import Cores
from tests.support.order import computes
from tests.support.waiting import STILL, wait_for

from .conftest import processes

CORES = 2


def _work(file: Path, pipe: Connection) -> None:
    """A worker: takes a core when it is told to and says so, gives it back, and so on."""
    cores = Cores(file, CORES)
    while pipe.recv():
        with cores.one():
            pipe.send("has one")
            pipe.recv()


class Worker:
    def __init__(self, file: Path, stack: ExitStack):
        self._pipe, other = processes.Pipe()
        self.process = processes.Process(target=_work, args=(file, other))
        self.process.start()
        stack.callback(self.process.join)
        stack.callback(self.process.kill)

    def ask(self) -> None:
        self._pipe.send(True)

    def waits(self) -> bool:
        """Whether the kernel has it wait for a lock that another one holds."""
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        return any(line[1] == "->" and line[5] == str(self.process.pid) for line in lines)

    def has(self, seconds: float | None = None) -> bool:
        return self._pipe.poll(seconds) and self._pipe.recv() == "has one"

    def give(self) -> None:
        self._pipe.send(True)


def test_no_more_than_there_are_cores_and_who_came_first_is_next(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, second, third, fourth = (Worker(tmp_path / "held", stack) for _ in range(4))
        for one in (first, second):
            one.ask()
            assert one.has()
        third.ask()
        assert not third.has(STILL)
        fourth.ask()
        wait_for(fourth.waits)
        second.give()
        second.ask()  # at once again, as short tests do
        wait_for(second.waits)
        assert third.has() and not fourth.has(0)
        third.give()
        assert fourth.has() and not second.has(0)
        first.process.kill()  # and its core is free
        assert second.has()


@pytest.mark.parametrize(
    ("fixtures", "needs"),
    [
        ({"slurm_cluster", "tmp_path"}, False),
        ({"slurm_cluster", "browser"}, True),
        ({"launch"}, True),
        ({"tmp_path"}, True),
    ],
)
def test_what_waits_for_a_slurm_holds_none_unless_it_computes_too(
    fixtures: set[str], needs: bool
) -> None:
    assert computes(fixtures) is needs


def test_a_core_is_free_again_after_a_failure(tmp_path: Path) -> None:
    cores = Cores(tmp_path / "held", 1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), cores.one():
            raise ZeroDivisionError
    cores.close()
