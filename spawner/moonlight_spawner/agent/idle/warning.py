"""The warning on the desktop itself, there and gone again."""

from __future__ import annotations

import os

from ..display.notice import Notice, language_of
from ..display.screen import Screen


class OnDesktop:
    """One notice at a time, for a session's screen."""

    def __init__(self, screen: Screen):
        self._screen = screen
        self._notice: Notice | None = None

    def tell(self, left: float | None) -> None:
        """That the desktop ends in ``left`` seconds, or (None) that it does not any more."""
        if self._notice:
            self._notice.close()
        self._notice = Notice.idle(self._screen, language_of(os.environ), left) if left else None
