"""One daemon of the cluster, seen from its owner."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import DaemonFailed
from tests.cluster.processes import Process, descendants, end_all
from tests.support.waiting import GRACE, PATIENCE, wait_until

KEEPER = Path(__file__).with_name("keeper.py")
# Root's own environment carries tokens and proxies that no daemon, and no job, should inherit.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"({path.name} was not written)"
    return "\n".join(text.splitlines()[-lines:]) or f"({path.name} is empty)"


class Daemon:
    """Starts a daemon in the foreground below a keeper, and ends it with all its descendants.

    Parameters
    ----------
    name: how errors call it.
    argv: the program with the option that keeps it in the foreground.
    log: file for its output; its end is shown when it fails.
    user: the account it runs as; root by default.
    environment: added to a clean environment.
    keeper_options: for `keeper.py`, such as a private cgroup.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        *,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        keeper_options: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self.user = user
        self.environment = {**CLEAN_ENVIRONMENT, **(environment or {})}
        self.keeper_options = list(keeper_options)
        self.process: Process | None = None
        self._keepers: list[subprocess.Popen[bytes]] = []

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive()

    def start(self, ready: Callable[[], object]) -> None:
        """Start it and wait until `ready()`; DaemonFailed with the log's end if it never is."""
        if self.alive:
            return
        self._forget_ended_keepers()
        options = [*self.keeper_options, "--log", str(self.log)]
        options += ["--grace", str(GRACE)]  # slurmctld writes its jobs at its end
        if self.user:
            options += ["--user", self.user]
        keeper = subprocess.Popen(
            # -I -S: no site-packages and none of the caller's Python settings; starts in 15 ms.
            [sys.executable, "-I", "-S", str(KEEPER), *options, "--", *self.argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the owner alone
            env=self.environment,
            cwd="/",
        )
        self._keepers.append(keeper)
        assert keeper.stdout is not None
        answer = json.loads(keeper.stdout.readline() or b'{"error": "its keeper died"}')
        if "error" in answer:
            raise DaemonFailed(f"{self.name} could not be started: {answer['error']}")
        process = self.process = Process(answer["pid"], answer["start"])
        if not wait_until(lambda: ready() or not process.alive()):
            raise DaemonFailed(f"{self.name} was not ready after {PATIENCE:.0f} s:\n{self._tail()}")
        if not process.alive():
            raise DaemonFailed(f"{self.name} ended while starting:\n{self._tail()}")

    def _tail(self) -> str:
        return f"{self.log}:\n{tail(self.log)}"

    def signal(self, number: int) -> bool:
        """Send a signal to the daemon alone; False when it does not run."""
        return self.process is not None and self.process.signal(number)

    def stop(self) -> None:
        """End the daemon alone by TERM, then KILL. What it started goes on."""
        if self.process is None:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.process.wait(GRACE):
            self.kill()

    def kill(self) -> None:
        """SIGKILL the daemon alone. What it started goes on."""
        if self.process is not None and self.signal(signal.SIGKILL):
            self.process.wait()

    def descendants(self) -> list[int]:
        """Pids of all that this daemon ever started and that still runs, the daemon excluded."""
        keep = self.process.pid if self.process else None
        return [
            pid
            for keeper in self._keepers
            if keeper.poll() is None
            for pid in descendants(keeper.pid)
            if pid != keep
        ]

    def kill_descendants(self) -> None:
        """SIGKILL all that this daemon ever started."""
        end_all(self.descendants)

    def close(self) -> None:
        """End the daemon and everything below it, and wait until it has."""
        for keeper in self._keepers:
            assert keeper.stdin is not None
            keeper.stdin.close()
        for keeper in self._keepers:
            try:
                keeper.wait(PATIENCE)
            except subprocess.TimeoutExpired as error:
                raise DaemonFailed(f"{self.name} could not be ended in {PATIENCE:.0f} s") from error
            finally:
                assert keeper.stdout is not None
                keeper.stdout.close()
        self._keepers.clear()
        self.process = None

    def _forget_ended_keepers(self) -> None:
        for keeper in [each for each in self._keepers if each.poll() is not None]:
            for pipe in (keeper.stdin, keeper.stdout):
                if pipe is not None:
                    pipe.close()
            self._keepers.remove(keeper)
