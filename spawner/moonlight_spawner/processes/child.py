"""Child processes with an owner: each in a group of its own, ended by group, none left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from ..model.said import quotable
from .environment import job_environment, origins
from .kernel import die_with_parent, gain_no_rights
from .offspring import end_mount_helpers, reap_group
from .pipes import closed, tell
from .private_segments import Made, PrivateSegments

_KILLED_SECONDS = 1.0


def family(pid: int) -> set[int]:
    """A process and everything below it now."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return {pid, *(child.pid for child in process.children(recursive=True))}
    return set()


def listening(pid: int) -> dict[int, set[str]]:
    """TCP ports on which a process or one below it listens, each with its addresses."""
    found: dict[int, set[str]] = {}
    for one in family(pid):
        with contextlib.suppress(psutil.Error):
            for socket in psutil.Process(one).net_connections(kind="tcp"):
                if socket.status == psutil.CONN_LISTEN:
                    found.setdefault(socket.laddr.port, set()).add(socket.laddr.ip)
    return found


async def output_of(
    argv: Sequence[str], env: Mapping[str, str], seconds: float = 20.0
) -> str | None:
    """What a short program prints; None if it cannot be run, fails, or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(env),
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
        return output.decode("utf-8", "replace") if process.returncode == 0 else None
    except asyncio.TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            end_mount_helpers(process.pid)


class Child:
    """One process of the session and its group, logging to a file.

    Parameters
    ----------
    plain
        It and what it runs gain no rights from the programs' files.
    made
        Its shared memory is made for it, and told here (:mod:`.private_segments`); plain too.
    umask
        Its own, if it is not to have ours.
    told
        It waits for a word on its standard input (:meth:`tell`).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        cwd: str = "/",
        plain: bool = False,
        made: Made | None = None,
        umask: int = -1,
        told: bool = False,
    ):
        self.name = name
        self.argv = list(argv)
        self.env = dict(env)
        self.log = log
        self.cwd = cwd
        self._plain = plain
        self._made = made
        self._umask = umask
        self._told = told
        self._segments: PrivateSegments | None = None
        self._gone = False
        self._process: asyncio.subprocess.Process | None = None
        self._telling: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Start it.

        Raises
        ------
        OSError
            The program cannot be run.
        """
        fd = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        self._segments = PrivateSegments(self._made) if self._made else None
        if self._process:  # it may have been killed
            end_mount_helpers(self.pid)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                env=self.env,
                cwd=self.cwd,
                stdin=asyncio.subprocess.PIPE if self._told else asyncio.subprocess.DEVNULL,
                stdout=fd,
                stderr=fd,
                start_new_session=True,
                preexec_fn=self._before,
            )
        except OSError as e:
            if not e.filename:  # uvloop says no name
                e.filename = self.argv[0] if os.path.isdir(self.cwd) else self.cwd
            raise
        else:
            self._gone = False  # not before: the number of a group that is gone may be another's
        finally:
            os.close(fd)
            if self._segments:
                self._segments.begin()

    def _before(self) -> None:
        """In the child, before its program."""
        die_with_parent()
        if self._umask >= 0:  # not by asyncio: uvloop cannot
            os.umask(self._umask)
        if self._plain:
            gain_no_rights()
        if self._segments:
            self._segments.before()

    def tell(self, word: bytes) -> None:
        """The one word that it waits for; nothing happens if it has ended meanwhile."""
        assert self._process is not None and self._process.stdin is not None
        tell(self._process.stdin, word)
        self._telling = asyncio.ensure_future(closed(self._process.stdin))

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        """Its exit status, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self, seconds: float = 2.0) -> None:
        """TERM to the group, KILL after ``seconds``; the whole group is gone afterwards.

        The grace is the group's: a shell around a program dies of TERM long before that.
        """
        if self._process is None or self._gone:
            return
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        self._signal(signal.SIGTERM)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), seconds)
        if not await self._group_ends(deadline):
            self._signal(signal.SIGKILL)
            await self._process.wait()
            await self._group_ends(clock() + _KILLED_SECONDS)
        end_mount_helpers(self.pid)
        self._gone = True

    def _signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signum)

    async def _group_ends(self, deadline: float) -> bool:
        """Whether nothing of the group is left, at the latest at ``deadline`` of the loop's clock."""
        clock = asyncio.get_running_loop().time
        while True:
            if not self.running:  # its leader is asyncio's to collect; the rest, orphaned, is ours
                reap_group(self.pid)
            try:
                os.killpg(self.pid, 0)
            except ProcessLookupError:
                return not self.running
            except PermissionError:
                pass
            if clock() > deadline:
                return False
            await asyncio.sleep(0.02)

    def last_words(self, lines: int = 3, without: re.Pattern[str] | None = None) -> str:
        """The end of its log, for an error message; ``without`` is what says nothing there."""
        try:
            text = self.log.read_text("utf-8", "replace")[-4000:]
        except OSError:
            return ""
        if without:
            text = without.sub("", text)
        words = " / ".join(quotable(text)[-lines:])
        why = origins(f"{self.argv[0]} {text}", job_environment())
        return f"{words} ({why})" if why else words
