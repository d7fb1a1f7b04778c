"""Watches a running session: restarts what may be restarted, ends the session when it must."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque

from ..session import End, State, now
from .claims import NothingFree
from .desktop import Desktop, DesktopFailed
from .hosts import Host, HostFailed
from .offspring import end_mount_helpers, reap_adopted
from .sound import Sound
from .status import StatusFile
from .xserver import XServer

log = logging.getLogger(__name__)

_RESTARTS, _RESTART_WINDOW_SECONDS = 3, 300.0
_BEAT_SECONDS = 15.0


class Supervisor:
    """Waits for the first of: X gone, desktop gone, stream gone, sound gone.

    The stream and the desktop may be restarted three times in five minutes, sound once. X may
    not: every window is lost with it.
    """

    def __init__(
        self,
        x: XServer,
        sound: Sound,
        desktop: Desktop,
        host: Host,
        status: StatusFile,
    ):
        self._x = x
        self._sound = sound
        self._desktop = desktop
        self._host = host
        self._status = status
        self._sound_restarted = False
        self._restarts: dict[str, deque[float]] = {}

    async def watch(self) -> End:
        """Until the session has to end; how it ends."""
        beat = asyncio.ensure_future(self._beat())
        try:
            while True:
                end = await self._next()
                if end:
                    return end
        finally:
            beat.cancel()

    async def _next(self) -> End | None:
        children = [("xserver", self._x.child), ("desktop", self._desktop.child)]
        children += [("stream", child) for child in self._host.children]
        if self._sound.child:
            children.append(("sound", self._sound.child))
        waits = {asyncio.ensure_future(child.wait()): name for name, child in children}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        await asyncio.sleep(0.2)  # X takes its clients with it: let the cause be seen first
        status = {waits[wait]: wait.result() for wait in done}
        if not self._x.child.running:
            return End(
                state=State.FAILED,
                code="XServerEnded",
                reason="The X server on the node ended, and with it every window of the desktop. "
                f"It said: {self._x.child.last_words(2) or 'nothing'}",
            )
        if "desktop" in status:
            if status["desktop"] == 0:
                return End(
                    state=State.COMPLETED, code="LoggedOut", reason="You logged out of the desktop."
                )
            return await self._again("desktop", status["desktop"])
        if "stream" in status:
            return await self._again("stream", status["stream"])
        await self._sound_again()
        return None

    async def _sound_again(self) -> None:
        """Once more, or on without it: nobody loses work for a missing sound."""
        why = "it ended twice" if self._sound_restarted else await self._sound.start()
        self._sound_restarted = True
        if not why:
            self._status.note("The sound server ended and runs again. To hear it, connect again.")
        else:
            await self._sound.stop()
            self._status.status.audio = False
            self._status.note(f"There is no sound any more: {why}.")

    async def _again(self, name: str, status: int) -> End | None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        recent = self._restarts.setdefault(name, deque(maxlen=_RESTARTS))
        if len(recent) == _RESTARTS and time.monotonic() - recent[0] < _RESTART_WINDOW_SECONDS:
            child = self._desktop.child if name == "desktop" else self._host.child
            return End(
                state=State.FAILED,
                code=f"{name.capitalize()}Ended",
                reason=f"The {name} ended {_RESTARTS + 1} times within "
                f"{_RESTART_WINDOW_SECONDS / 60:g} minutes ({how}). It said: {child.last_words()}",
            )
        recent.append(time.monotonic())
        log.warning("the %s ended (%s) and is started again", name, how)
        try:
            if name == "desktop":
                await self._desktop.stop()
                end_mount_helpers()
                await self._desktop.restart()
            else:
                await self._host.restart()
        except (DesktopFailed, HostFailed, NothingFree) as e:
            return End(state=State.FAILED, code=type(e).__name__, reason=str(e))
        except OSError as e:
            return End(
                state=State.FAILED,
                code="RestartFailed",
                reason=f"The {name} ended ({how}) and could not be started again on node "
                f"{os.uname().nodename}: {e.strerror or e}{f' ({e.filename})' if e.filename else ''}.",
            )
        self._status.note(f"At {now():%H:%M} UTC the {name} ended ({how}) and was started again.")
        return None

    async def _beat(self) -> None:
        """Show that the node lives, and reap adopted processes."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._status.write()
            own = {self._x.child.pid, *self._desktop.pids}
            own |= {child.pid for child in self._host.children}
            reap_adopted(own | {self._sound.child.pid if self._sound.child else 0})
