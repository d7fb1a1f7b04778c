"""Log lines as in no-display.txt: the same on standard output and in ``log_path``."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TextIO

LEVELS = ["verbose", "debug", "info", "warning", "error", "fatal", "none"]


class Log:
    """One writer for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: TextIO | None = None
        self._lowest = LEVELS.index("info")

    def plain(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)

    def early(self, level: str, text: str) -> None:
        """Before the log exists: another form, on standard output only."""
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        self.plain(f"[{stamp}.{int(now % 1 * 1e6):06d}] [0x00007fa2f729abc0] [{level}]    {text}")

    def open(self, path: Path, level: str) -> None:
        """Start the file. OSError when it cannot be written."""
        level = LEVELS[int(level)] if level.isdigit() and int(level) < len(LEVELS) else level
        self._lowest = LEVELS.index(level) if level in LEVELS else LEVELS.index("info")
        self._file = path.open("w", encoding="utf-8")

    def write(self, level: str, text: str) -> None:
        if LEVELS.index(level) < self._lowest:
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        line = f"[{stamp}.{int(now % 1 * 1e3):03d}]: {level.capitalize()}: {text}\n"
        with self._lock:
            for out in (self._file, sys.stdout):
                if out is not None:
                    out.write(line)
                    out.flush()

    def debug(self, text: str) -> None:
        self.write("debug", text)

    def info(self, text: str) -> None:
        self.write("info", text)

    def warning(self, text: str) -> None:
        self.write("warning", text)

    def error(self, text: str) -> None:
        self.write("error", text)

    def fatal(self, text: str) -> None:
        self.write("fatal", text)
