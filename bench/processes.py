"""Programs of the benchmark: each has one owner, who ends it and all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from moonlight_spawner.processes.kernel import die_with_parent
from moonlight_spawner.processes.meter import CpuMeter

__all__ = ["CpuMeter", "DidNotStart", "Program", "answers", "free_port"]


class DidNotStart(Exception):
    """A program of the benchmark ended at once or does not answer. The text has its last words."""


class Program:
    """A child process in a group of its own, logging to a file; a context manager.

    Parameters
    ----------
    name
        Also the name of its log in ``directory``.
    piped
        Whether stdin and stdout are pipes to the benchmark.
    account
        What makes it another account's (:func:`tests.cluster.users.as_user`), for root.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        directory: Path,
        env: Mapping[str, str] | None = None,
        piped: bool = False,
        account: Mapping[str, Any] | None = None,
    ):
        self.name = name
        self.argv = list(argv)
        self.log = directory / f"{name}.log"
        self._account = {"env": dict(os.environ), **(account or {})}
        self._account["env"] |= env or {}
        self._piped = piped
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Program:
        pipe = subprocess.PIPE if self._piped else subprocess.DEVNULL
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=pipe,
                stdout=pipe if self._piped else log,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=die_with_parent,
                **self._account,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self, seconds: float = 8.0) -> None:
        """TERM, then KILL after ``seconds``; what it started and left behind is ended too."""
        below = _descendants(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        for process in below:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def read_line(self) -> str:
        """One line from its stdout.

        Raises
        ------
        DidNotStart
            It ended instead.
        """
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            raise DidNotStart(f"{self.name} ended: {self.last_words()}")
        return line

    def wait_until(self, ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Ask ``ready`` until it says so.

        Raises
        ------
        DidNotStart
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise DidNotStart(f"{self.name} ended at once: {self.last_words()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.name}: {what} after {seconds:g} s: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        with contextlib.suppress(OSError):
            return " / ".join(self.log.read_text("utf-8", "replace").splitlines()[-4:])
        return ""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something listens on that port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return list(psutil.Process(pid).children(recursive=True))
    return []
