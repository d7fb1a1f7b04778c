"""Sees that a desktop keeps its window manager: without one no window can be moved, closed or typed into.

A session manager starts it again, but only one that has told it of itself, and only a few times.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ...model.sentences import Said
from ...model.session import now
from ...processes.child import Child
from ..retries import Retries
from .desktop import Desktop

log = logging.getLogger(__name__)

_LOOK_SECONDS = 3.0
# The desktop's own way is quicker, and is to be over by then.
_GONE_LOOKS = 3


class WindowManagerWatch:
    """Starts one whenever a running desktop has been without for a while, and tells the user.

    Parameters
    ----------
    present
        Whether the X server has one.
    note
        Tells the user.
    """

    def __init__(
        self,
        desktop: Desktop,
        present: Callable[[], Awaitable[bool]],
        note: Callable[[Said], None],
    ):
        self._desktop = desktop
        self._present = present
        self._note = note
        self._retries = Retries()

    async def keep(self) -> None:
        """For as long as the session runs."""
        manager = self._desktop.manager
        if not self._desktop.managed and manager is None:
            await self._until(True, 1)
        while True:
            await self._until(False, _GONE_LOOKS)
            log.warning("the desktop has no window manager")
            if manager is None:  # an image's: which one, and how it is started, is the image's
                self._note(
                    Said.by(
                        "WindowManagerGone",
                        "At {at} UTC the desktop's window manager was gone: windows cannot be moved. "
                        "If it does not come back, save your work and log out.",
                        at=f"{now():%H:%M}",
                    )
                )
                await self._until(True, 1)
            else:
                await self._again(manager)

    async def _until(self, wanted: bool, looks: int) -> None:
        """Until so many looks on end have found this. A desktop that is being started is neither."""
        found = 0
        while found < looks:
            await asyncio.sleep(_LOOK_SECONDS)
            running = self._desktop.child.running
            found = found + 1 if running and await self._present() is wanted else 0

    async def _again(self, manager: Child) -> None:
        self._retries.ended()
        await self._retries.wait()
        if await self._present():  # the desktop, started again meanwhile, has brought one
            return
        self._retries.start()
        await manager.stop(0.5)
        try:
            await manager.start()
        except OSError as e:
            log.warning("%s cannot be run: %s", manager.argv[0], e.strerror)
            return
        while manager.running and not await self._present():
            await asyncio.sleep(0.1)
        if manager.running:
            self._note(
                Said.by(
                    "WindowManagerAgain",
                    "At {at} UTC the desktop's window manager was gone, and was started again.",
                    at=f"{now():%H:%M}",
                )
            )
