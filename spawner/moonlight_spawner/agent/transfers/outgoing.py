"""A file on its way from the desktop: which bytes are asked for, and whether it is still the same one."""

from __future__ import annotations

import os
import re
import threading
from urllib.parse import quote

from .names import legible, of_part
from .refusals import Refused, of_system

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Outgoing:
    """An open file. Its methods block, and not two of them run at once.

    Parameters
    ----------
    at
        Its address (:mod:`.places`).
    fd
        From now on this object's to close.
    """

    def __init__(self, at: str, fd: int):
        info = os.fstat(fd)
        self.name = legible(of_part(at.rpartition("/")[2]))
        self.size = info.st_size
        #: Another one as soon as anything of the file was written, or another file has its name.
        self.etag = f'"{info.st_ino:x}-{info.st_size:x}-{info.st_mtime_ns:x}-{info.st_ctime_ns:x}"'
        self._fd = fd
        self._one_at_a_time = threading.Lock()

    def read(self, at: int, most: int) -> bytes:
        """
        Raises
        ------
        Refused
            Also where it has become shorter: half a file must not look whole.
        """
        with self._one_at_a_time:
            try:
                data = os.pread(self._fd, most, at)
            except OSError as e:
                raise of_system(e, f"“{self.name}” cannot be read") from e
        if not data:
            raise Refused(500, "file_system_failed", f"“{self.name}” has become shorter meanwhile.")
        return data

    def close(self) -> None:
        with self._one_at_a_time:
            os.close(self._fd)

    def part(self, wanted: str, only_if: str) -> tuple[int, int] | None:
        """First byte and the one behind the last, for the headers Range and If-Range (RFC 9110, 14.2);
        None for all of it.

        Raises
        ------
        Refused
            It has no such part.
        """
        found = _RANGE.fullmatch(wanted.replace(" ", ""))
        if not found or (only_if and only_if != self.etag) or not any(found.groups()):
            return None
        first, last = (int(n) if n else None for n in found.groups())
        if first is None:
            first, last = max(0, self.size - (last or 0)), self.size - 1
        end = self.size if last is None else min(last + 1, self.size)
        if first >= end:
            raise Refused(416, "no_such_part", f"“{self.name}” has {self.size} bytes.")
        return first, end

    @property
    def disposition(self) -> bytes:
        """It is kept as a file and never shown (RFC 6266)."""
        plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", self.name)
        return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(self.name, safe='')}".encode()
