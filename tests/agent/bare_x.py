"""An X server with nothing on it."""

from __future__ import annotations

import os
import subprocess

from moonlight_spawner.agent.display.screen import Screen

from tests.support.waiting import PATIENCE


class Server:
    """An Xvfb with no authority file, at whatever display is free."""

    def __init__(self, size: str = "320x200") -> None:
        read, write = os.pipe()
        argv = ["Xvfb", "-displayfd", str(write), "-noreset", "-nolisten", "tcp"]
        argv += ["-screen", "0", f"{size}x24"]
        self._process = subprocess.Popen(argv, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as told:
            self.screen = Screen(int(told.readline()), self._process.pid, b"")
        self.display = self.screen.name

    def pasted(self) -> str | None:
        """What a program gets out of the clipboard; None if nobody owns it."""
        done = subprocess.run(
            ["xclip", "-display", self.display, "-selection", "clipboard", "-out"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return None if done.returncode else done.stdout

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
