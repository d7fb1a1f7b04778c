"""Watches a running session: restarts what may be restarted, ends the session when it must."""

from __future__ import annotations

import asyncio
import logging
import os

from ..model.sentences import Said
from ..model.session import End, State, now
from ..processes.child import Child
from ..processes.offspring import reap_adopted
from .desktop.desktop import Desktop, DesktopFailed
from .desktop.sound import Sound
from .desktop.window_manager import WindowManagerWatch
from .display.xserver import XServer
from .hosts import Host
from .retries import Retries
from .status import StatusFile, with_file

log = logging.getLogger(__name__)

_BEAT_SECONDS = 15.0
_SETTLE_SECONDS = 0.2  # X takes its clients with it: let the cause be seen first


class Supervisor:
    """Keeps a session's parts running, until X or the desktop is gone for good.

    X is never started again: every window is lost with it. The desktop is, with its D-Bus, unless
    it ends again and again; its window manager too, where the desktop does not see to that. The
    stream always is, after a growing pause or when somebody looks: nobody loses his windows because
    nothing can be seen for a while. Sound is once.
    """

    def __init__(self, x: XServer, sound: Sound, desktop: Desktop, host: Host, status: StatusFile):
        self._x = x
        self._sound = sound
        self._desktop = desktop
        self._host = host
        self._status = status
        self._sound_restarted = False
        self._desktops = Retries()
        self._streams = Retries()
        self._stream_note = ""

    def look(self) -> None:
        """Somebody wants to see the desktop now."""
        self._streams.want()

    async def watch(self) -> End:
        """Until the session has to end; how it ends."""
        manager = WindowManagerWatch(
            self._desktop, self._x.window_manager_present, self._status.note
        )
        loops = (self._beat(), self._keep_stream(), self._watch_screen(), manager.keep())
        others = [asyncio.ensure_future(loop) for loop in loops]
        try:
            while True:
                end = await self._next()
                if end:
                    return end
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    async def _next(self) -> End | None:
        children = {"xserver": self._x.child, "desktop": self._desktop.child}
        if self._desktop.bus:
            children["bus"] = self._desktop.bus
        if self._sound.child:
            children["sound"] = self._sound.child
        ended = await _first(children)
        if not self._x.child.running:
            said = Said.by(
                "XServerEnded",
                "The X server on the node ended ({how}), and with it every window of the desktop. "
                "It said: {words}",
                how=_how(ended.get("xserver", 0)),
                words=self._x.last_words(2) or "nothing",
            )
            return End.saying(State.FAILED, said)
        # A desktop whose D-Bus is gone ends too, in part or in whole, and in any order.
        if "bus" in ended or (self._desktop.bus and not self._desktop.bus.running):
            return await self._desktop_again("D-Bus of the desktop", ended.get("bus", 0))
        if "desktop" in ended and self._desktop.application:
            return self._application_ended(ended["desktop"])
        if "desktop" in ended:
            if ended["desktop"] == 0:
                return End(
                    state=State.COMPLETED, code="LoggedOut", reason="You logged out of the desktop."
                )
            return await self._desktop_again("desktop", ended["desktop"])
        await self._sound_again()
        return None

    def _application_ended(self, status: int) -> End:
        """However it ended: started again it would be empty."""
        name = self._desktop.application[0]
        if status == 0:
            reason = "You have ended the application."
            return End(state=State.COMPLETED, code="ApplicationEnded", reason=reason)
        said = Said.by(
            "ApplicationFailed",
            "The application {name} ended ({how}). It said: {words}",
            name=name,
            how=_how(status),
            words=self._desktop.child.last_words() or "nothing",
        )
        return End.saying(State.FAILED, said)

    async def _sound_again(self) -> None:
        """Once more, or on without it: nobody loses work for a missing sound."""
        why = "it ended twice" if self._sound_restarted else await self._sound.start()
        self._sound_restarted = True
        if not why:
            self._status.note(
                Said.by(
                    "SoundAgain",
                    "The sound server ended and runs again. To hear it, connect again.",
                )
            )
        else:
            await self._sound.stop()
            self._status.status.audio = False
            self._status.note(Said.by("SoundGone", "There is no sound any more: {why}.", why=why))

    async def _desktop_again(self, name: str, status: int) -> End | None:
        how, retries = _how(status), self._desktops
        retries.ended()
        if retries.often:
            said = Said.by(
                "DesktopEnded",
                "The {name} ended {times} times, each time soon after its start ({how}). "
                "It said: {words}",
                name=name,
                times=retries.ends,
                how=how,
                words=self._desktop.child.last_words(),
            )
            return End.saying(State.FAILED, said)
        log.warning("the %s ended (%s) and is started again", name, how)
        retries.start()
        try:
            await self._desktop.stop()
            await self._desktop.stop_bus()
            await self._desktop.start()
        except DesktopFailed as e:
            return End(state=State.FAILED, code=type(e).__name__, reason=str(e))
        except (OSError, asyncio.TimeoutError) as e:
            said = Said.by(
                "RestartFailed",
                "The {name} ended ({how}) and could not be started again on node {node}: {why}.",
                name=name,
                how=how,
                node=os.uname().nodename,
                why=with_file(e),
            )
            return End.saying(State.FAILED, said)
        self._status.note(
            Said.by(
                "DesktopAgain",
                "At {at} UTC the {name} ended ({how}) and was started again.",
                at=f"{now():%H:%M}",
                name=name,
                how=how,
            )
        )
        return None

    async def _keep_stream(self) -> None:
        """Start the stream again whenever it has ended; the desktop stays, whatever comes of it."""
        retries = self._streams
        while True:
            ended = await _first({str(i): child for i, child in enumerate(self._host.children)})
            self._host.away = True
            if not self._x.child.running:
                return
            status = next(iter(ended.values()))
            why = f"it ended ({_how(status)}) and said: {self._host.child.last_words()}"
            retries.ended()
            while failed := await self._stream_again(_how(status), why):
                why = failed
                retries.ended()

    async def _stream_again(self, how: str, why: str) -> str:
        """Start it when it is time; why it did not start, empty if it runs."""
        retries = self._streams
        self._host.pausing = retries.often
        if retries.often:
            self._say_of_stream(
                Said.by(
                    "StreamEnds",
                    "The stream has ended {times} times, each time soon after its start. The last "
                    "time, at {at} UTC, {why}. Your desktop is kept; the stream is started again "
                    "when you open it.",
                    times=retries.ends,
                    at=f"{now():%H:%M}",
                    why=why,
                )
            )
        await retries.wait()
        log.warning("the stream ended (%s) and is started again", how)
        retries.start()
        ports = self._status.status.sunshine_port
        try:
            await self._host.restart()
        except Exception as e:  # whatever it is, the desktop stays
            log.exception("the stream cannot be started again")
            return f"it could not be started again on node {os.uname().nodename}: {with_file(e)}"
        self._host.away = self._host.pausing = False
        self._host.restarts += 1
        self._say_of_stream(_again(how, ports, self._status.status.sunshine_port))
        return ""

    def _say_of_stream(self, text: Said) -> None:
        self._status.note(text, instead_of=self._stream_note)
        self._stream_note = text

    async def _watch_screen(self) -> None:
        """How large the screen is. Beside the beat: an X server that hangs is no silent node."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._status.status.screen = await self._x.size() or self._status.status.screen

    async def _beat(self) -> None:
        """Show that the node lives, and reap adopted processes."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._status.write()
            own = {self._x.child.pid} | self._desktop.pids
            own |= {child.pid for child in self._host.children}
            reap_adopted(own | {self._sound.child.pid if self._sound.child else 0})


async def _first(children: dict[str, Child]) -> dict[str, int]:
    """Wait until one of them has ended; the exit status of all that have by then."""
    waits = [asyncio.ensure_future(child.wait()) for child in children.values()]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(_SETTLE_SECONDS)
        return {name: w.result() for name, w in zip(children, waits, strict=True) if w.done()}
    finally:
        for wait in waits:
            wait.cancel()


def _again(how: str, before: int | None, ports: int | None) -> Said:
    at = f"{now():%H:%M}"
    text = "At {at} UTC the stream ended ({how}) and was started again."
    if before == ports:
        return Said.by("StreamAgain", text, at=at, how=how)
    moved = " Its ports begin at {ports} now, no longer at {before}."
    return Said.by("StreamMoved", text + moved, at=at, how=how, ports=ports, before=before)


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
