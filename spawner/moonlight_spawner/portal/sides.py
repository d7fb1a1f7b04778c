"""Runs users' sides: a process of theirs for each request, begun by sudo, bounded in all it can cost.

The process is the user's, so the service cannot signal it; but it may signal the sudo above, which
passes TERM and CONT on (sudo(8), "Signal handling"). KILL would end sudo alone. A request that is given
up closes its pipes, and tells the program through sudo to end, also one that its user has stopped: sudo
stops itself with it, its ``command_timeout`` too. That is for who does not obey, as the program's own
alarm is for whom nobody tells. Until it has ended it keeps its place among its own user's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..model.errors import (
    UserSideBusy,
    UserSideFailed,
    UserSideTimeout,
    UserSideUnavailable,
    shorten,
)
from ..processes.pipes import tell_all
from .places import Places

log = logging.getLogger(__name__)

SUDO = "/usr/bin/sudo"
# Neither sudo nor the user takes that back: it needs a right (CAP_SYS_NICE) that the service's unit leaves to
# nobody, and no user has.
_NICE = ("/usr/bin/nice", "-n", "10")
_MOST_ERROR_BYTES = 16 << 10
# What comes behind those is thrown away, so often at the most: it may come as fast as it can be read.
_THROW_AWAY_SECONDS = 0.1
# A request that takes longer waits for a disk or for Slurm, and no longer for a processor: others may
# begin.
_BUSY_SECONDS = 5.0
# What goes on behind an answer has an alarm before that (:mod:`..cli.user_side`).
_AFTERWARDS_SECONDS = 300.0
_TELL_AGAIN_SECONDS = 5.0
_LAST_SECONDS = 3.0
# Why one has ended may come after its end; what it has started may hold that pipe for as long as it lives.
_WHY_SECONDS = 1.0
# Nobody else is served while an answer is read. What that takes is paid off by waiting, so that a user
# has the service's tenth at the most, and may owe it so much.
_PAID_IN, _MOST_OWED_SECONDS = 10.0, 1.0
# Nothing of the service's environment, and errors of sudo in English.
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@dataclass
class _User:
    places: Places
    late: set[_Side] = field(default_factory=set)  # given up, and not ended yet
    # When what it took to read his side's answers is paid off, by the loop's clock.
    paid_at: float = 0.0


class Sides:
    """``command`` is what sudo's rule allows; at most ``most`` are begun at once, ``each`` of a user.
    ``nice``: they come after the service where there is not enough of the processor."""

    def __init__(
        self, command: Sequence[str], seconds: float, most: int, each: int, nice: bool = True
    ):
        self._command = list(command)
        self._nice = _NICE if nice else ()
        self._seconds = seconds
        self._each = each
        self._places = Places(most)
        self._users: dict[str, _User] = {}
        self._living: set[_Side] = set()

    async def close(self) -> None:
        """End what can be ended now. What finishes a change goes on without us."""
        for side in self._living:
            side.tell_to_end()
        endings = [side.ended for side in self._living]
        if endings:
            await asyncio.wait(endings, timeout=_LAST_SECONDS)
        for side in list(self._living):
            side.let_go()

    async def ask(self, login: str, request: bytes, limit: int) -> bytes:
        """The line that this user's side answers to ``request``, of at most ``limit`` bytes.

        Raises
        ------
        UserSideBusy
            Nothing was begun.
        UserSideUnavailable, UserSideTimeout, UserSideFailed
        """
        user = self._of(login)
        if user.late:
            raise UserSideTimeout(
                f"An earlier request to {login}'s side has not ended yet: the home may hang. "
                "Try again in some minutes."
            )
        self.check_paid(login)
        deadline = asyncio.get_running_loop().time() + self._seconds
        if not await user.places.take(deadline):
            raise self._busy(f"{self._each} others of {login}'s are under way")
        try:
            taken = await self._places.take(deadline)
        except BaseException:
            user.places.give()
            raise
        if not taken:
            user.places.give()
            raise self._busy("too many of other users are under way")
        computing = _Once(self._places.give)
        timer = asyncio.get_running_loop().call_later(_BUSY_SECONDS, computing)
        try:
            side = await self._begin(login, user, request, limit)
            try:
                return await self._answer(login, side)
            except UserSideTimeout:
                user.late.add(side)
                raise
            finally:
                side.leave(_AFTERWARDS_SECONDS if side.line else 0.0)
        finally:
            timer.cancel()
            computing()

    def check_paid(self, login: str) -> None:
        """
        Raises
        ------
        UserSideBusy
            To read this user's answers has taken more than he may have; nothing is to be asked.
        """
        owed = self._of(login).paid_at - asyncio.get_running_loop().time()
        if owed > _MOST_OWED_SECONDS * _PAID_IN:
            raise UserSideBusy(
                f"What {login}'s side and sessions have answered took the portal too long to read. Try "
                f"again in {owed:.0f} s."
            )

    @contextlib.contextmanager
    def reading(self, login: str) -> Iterator[None]:
        """While an answer of this user's side, or of a gateway of his, is read: the time is counted
        against him."""
        user, clock = self._of(login), asyncio.get_running_loop().time
        began = clock()
        try:
            yield
        finally:
            now = clock()
            user.paid_at = max(user.paid_at, began) + (now - began) * _PAID_IN

    def _of(self, login: str) -> _User:
        return self._users.setdefault(login, _User(Places(self._each)))

    def _busy(self, why: str) -> UserSideBusy:
        return UserSideBusy(
            f"The request could not be begun within {self._seconds:g} s: {why}. Try again in a moment."
        )

    async def _begin(self, login: str, user: _User, request: bytes, limit: int) -> _Side:
        """The process, which gives its place back when it has ended, whoever still waits for it."""

        async def begin() -> _Side:
            try:
                _, side = await asyncio.get_running_loop().subprocess_exec(
                    lambda: _Side(request, limit),
                    *self._nice,
                    *(SUDO, "-n", "-u", login, "--", *self._command),
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,  # no terminal that sudo could ask
                )
            except BaseException:
                user.places.give()
                raise
            self._living.add(side)
            side.ended.add_done_callback(lambda _: self._ended(user, side))
            return side

        beginning = asyncio.ensure_future(begin())
        try:
            # Not cancelled half-way: asyncio would kill what is not ours to kill.
            return await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(_leave)
            raise
        except OSError as e:
            raise UserSideUnavailable(
                f"The portal cannot act as {login}: {SUDO} cannot be run: {e.strerror}. An "
                "administrator has to install sudo."
            ) from e

    def _ended(self, user: _User, side: _Side) -> None:
        self._living.discard(side)
        user.late.discard(side)
        user.places.give()

    async def _answer(self, login: str, side: _Side) -> bytes:
        done, _ = await asyncio.wait({side.answered}, timeout=self._seconds)
        if not done:
            raise UserSideTimeout(
                f"{login}'s side has not answered within {self._seconds:g} s: the home may hang. What "
                "was asked may still be done; look again in a moment."
            )
        if side.errors:
            log.info("%s's side: %s", login, shorten(side.errors.decode("utf-8", "replace"), 2000))
        if line := side.line:
            return line
        if side.too_long:
            raise UserSideFailed(f"{login}'s side answered with more than {side.limit} bytes.")
        raise self._nothing(login, side)

    def _nothing(self, login: str, side: _Side) -> UserSideUnavailable | UserSideFailed:
        said = side.errors.decode("utf-8", "replace").strip().splitlines()[:1]
        words = shorten(said[0], 200) if said else ""
        if words.startswith(("sudo: ", "nice: ", f"{_NICE[0]}: ")):
            return UserSideUnavailable(
                f"The portal cannot act as {login}, because of {words!r}. An administrator has to "
                f"install deploy/sudoers/moonlight-hpc for `{' '.join(self._command)}`, and {login} has "
                "to be in the group that it names."
            )
        return UserSideFailed(
            f"{login}'s side ended without an answer{f': {words}' if words else ''}. The portal's log "
            "may say more."
        )


class _Side(asyncio.SubprocessProtocol):
    """One process, and what it says: one line is its answer, whatever it does afterwards."""

    def __init__(self, request: bytes, limit: int):
        self.limit = limit
        self.errors = b""
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._said = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._silent: set[int] = set()
        self._patient = True
        self._transport: asyncio.SubprocessTransport | None = None

    @property
    def line(self) -> bytes:
        """The answer; empty if there is none."""
        line, end, _ = bytes(self._said).partition(b"\n")
        return line if end and len(line) <= self.limit else b""

    @property
    def too_long(self) -> bool:
        return len(self._said) > self.limit

    def leave(self, seconds: float) -> None:
        """Hear and say nothing more; tell it to end unless it has within ``seconds``."""
        for fd in (0, 1, 2):
            pipe = self._transport.get_pipe_transport(fd) if self._transport else None
            if pipe:
                pipe.close()
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self.tell_to_end)
        else:
            self.tell_to_end()

    def tell_to_end(self) -> None:
        """Through sudo, and again until it has: its user may stop it again."""
        if self._transport is None or self.ended.done():
            return
        for signum in (signal.SIGTERM, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._transport.get_pid(), signum)
        asyncio.get_running_loop().call_later(_TELL_AGAIN_SECONDS, self.tell_to_end)

    def let_go(self) -> None:
        with contextlib.suppress(PermissionError):
            if self._transport:
                self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's is no subclass of it.
        self._transport = cast(asyncio.SubprocessTransport, transport)
        stdin: Any = self._transport.get_pipe_transport(0)
        tell_all(stdin, self._request)  # it may have ended already

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.errors += data[: _MOST_ERROR_BYTES - len(self.errors)]
            if len(self.errors) >= _MOST_ERROR_BYTES:
                self._read_later(fd)
        elif not self.answered.done():
            self._said += data
            if b"\n" in data or self.too_long:
                self.answered.set_result(None)

    def _read_later(self, fd: int) -> None:
        pipe: Any = self._transport.get_pipe_transport(fd) if self._transport else None
        if pipe and not pipe.is_closing():
            pipe.pause_reading()
            asyncio.get_running_loop().call_later(_THROW_AWAY_SECONDS, _resume, pipe)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._silent.add(fd)
        self._perhaps_over()

    def process_exited(self) -> None:
        self.ended.set_result(None)
        asyncio.get_running_loop().call_later(_WHY_SECONDS, self._wait_no_more)
        self._perhaps_over()

    def _wait_no_more(self) -> None:
        self._patient = False
        self._perhaps_over()

    def _perhaps_over(self) -> None:
        """It has ended and nothing more can come: what it said is all."""
        said_all = self._silent >= ({1, 2} if self._patient else {1})
        if self.ended.done() and said_all and not self.answered.done():
            self.answered.set_result(None)


def _resume(pipe: Any) -> None:
    if not pipe.is_closing():
        pipe.resume_reading()


class _Once:
    """Calls a function the first time that it is called itself."""

    def __init__(self, function: Callable[[], None]):
        self._functions = [function]

    def __call__(self) -> None:
        while self._functions:
            self._functions.pop()()


def _leave(beginning: asyncio.Future[_Side]) -> None:
    if not beginning.cancelled() and not beginning.exception():
        beginning.result().leave(0.0)


__all__ = ["Sides"]
