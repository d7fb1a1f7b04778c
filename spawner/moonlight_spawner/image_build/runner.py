"""Runs one program of a step: output to a log, a sign of life on the terminal, no orphans."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from ..model.files import tail
from ..model.said import lines_of, quotable
from .failures import CommandFailed, Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_TERM_SECONDS = 10.0
_LAST_WORDS = 400


class _Signals:
    """The signals that end a build; they wait while ``hold`` is in effect."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: int | None = None

    def hold(self) -> None:
        self._held = True

    def release(self) -> None:
        self._held = False
        number, self._waiting = self._waiting, None
        if number is not None:
            self._raise(number)

    def arrived(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._waiting = number
        else:
            self._raise(number)

    def _raise(self, number: int) -> None:
        for one in _SIGNALS:  # a second Ctrl-C must not cut off the cleaning up
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(number)


_signals = _Signals()


class Runner:
    """Programs of one image's build, all into one log.

    Parameters
    ----------
    log
        The file that everything is appended to.
    say
        Is given a line for the terminal now and then.
    alive_seconds
        How often a long step says that it still runs.
    """

    def __init__(self, log: Path, say: Callable[[str], None], alive_seconds: float = 30.0):
        self.log = log
        self._say = say
        self._alive_seconds = alive_seconds

    def run(
        self,
        argv: Sequence[str],
        what: str,
        environment: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> str:
        """Run a program to its end; its output.

        Raises
        ------
        CommandFailed
            It ended with an error, or had not ended after ``timeout`` seconds (status -9).
        Interrupted
            A signal came; the program and its children have ended.
        """
        start = self.log.stat().st_size if self.log.exists() else 0
        with self.started(argv, environment) as child:
            begun = told = time.monotonic()
            status = None
            while status is None:
                try:
                    status = child.wait(0.2)
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if timeout is not None and now - begun > timeout:
                        break
                    if now - told > self._alive_seconds:
                        told = now
                        self._say(f"      … {now - begun:.0f} s: {self._now()}")
        if status != 0:
            words = self.last_words(_LAST_WORDS, start)
            raise CommandFailed(what, -9 if status is None else status, self.log, words)
        return self.output(start)

    @contextlib.contextmanager
    def started(
        self, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program that runs beside us; its whole process group has ended when this is left."""
        with open(self.log, "ab") as log:
            log.write(f"$ {shlex.join(argv)}\n".encode())
            log.flush()
            _signals.hold()  # a child that is just being made must not be lost
            try:
                child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=dict(environment) if environment is not None else None,
                    start_new_session=True,
                )
            except OSError as e:
                _signals.release()
                raise CommandFailed(argv[0], 127, self.log, str(e.strerror)) from e
        try:
            _signals.release()
            yield child
        finally:
            end_group(child)

    def output(self, start: int) -> str:
        """What was logged from byte ``start`` on, without the command itself."""
        with open(self.log, "rb") as log:
            log.seek(start)
            text = log.read().decode("utf-8", "replace")
        return text.partition("\n")[2]

    def _now(self) -> str:
        """The line that was logged last: what it is about."""
        text, _ = tail(self.log, 4096)
        return next(reversed(lines_of(text)), "")[-100:]

    def last_words(self, limit: int, start: int = 0, lines: int = 4) -> str:
        """The last lines of what was logged from byte ``start`` on, in one line."""
        size = self.log.stat().st_size
        text, _ = tail(self.log, min(4096, size - start))
        said = [line for line in quotable(text) if not line.startswith("$ ")]
        return " / ".join(said[-lines:])[-limit:]


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End a child and all that it started: TERM, then KILL after ten seconds."""
    for number, seconds in ((signal.SIGTERM, _TERM_SECONDS), (signal.SIGKILL, 1.0)):
        deadline = time.monotonic() + seconds
        if _members(child):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, number)
        while time.monotonic() < deadline and _members(child):
            time.sleep(0.02)
    child.wait()


def _members(child: subprocess.Popen[bytes]) -> list[int]:
    """The living processes of a child's group."""
    child.poll()
    with contextlib.suppress(PermissionError):
        try:
            os.killpg(child.pid, 0)
        except ProcessLookupError:
            return []
    members = []  # signal 0 reaches zombies too, so look closer
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{entry.name}/stat", "rb") as f:
            state, _, group = f.read().rpartition(b")")[2].split()[:3]
            if int(group) == child.pid and state not in (b"Z", b"X"):
                members.append(int(entry.name))
    return members


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """While this is entered, Ctrl-C, TERM and HUP raise ``Interrupted`` in the main thread.

    asyncio's own Ctrl-C handler only cancels a task, which a program that is waited for would not
    notice.
    """

    before = {number: signal.signal(number, _signals.arrived) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
