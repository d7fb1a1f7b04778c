"""A file system that never answers, as a home on a dead file server: FUSE without its daemon."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


@contextlib.contextmanager
def hanging(directory: Path) -> Iterator[None]:
    """Whoever looks into ``directory`` waits until this is over (fuse(4): before FUSE_INIT is
    answered all wait), or is killed."""
    directory.mkdir(exist_ok=True)
    fd = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"hanging", bytes(directory), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "mount", str(directory))
        try:
            yield
        finally:
            _libc.umount2(bytes(directory), _MNT_DETACH)
    finally:
        os.close(fd)
    directory.rmdir()
