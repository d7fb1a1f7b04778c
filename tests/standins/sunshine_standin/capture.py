"""The capture's shared memory (sunshine.md, last section): mode 0777, a new one for each stream."""

from __future__ import annotations

import ctypes

#: What stands in it in place of a picture.
PICTURE = b"the screen of somebody"
_IPC_PRIVATE, _IPC_CREAT, _IPC_RMID = 0, 0o1000, 0
_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p
_libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_libc.shmdt.argtypes = (ctypes.c_void_p,)


class Capture:
    """One segment; what is killed leaves it."""

    def __init__(self, width: int, height: int):
        size = max(width * height * 4, len(PICTURE))
        self._id = _libc.shmget(_IPC_PRIVATE, ctypes.c_size_t(size), _IPC_CREAT | 0o777)
        self._at = _libc.shmat(self._id, None, 0) if self._id >= 0 else None
        if self._at:
            ctypes.memmove(self._at, PICTURE, len(PICTURE))

    def end(self) -> None:
        if self._at:
            _libc.shmdt(self._at)
            _libc.shmctl(self._id, _IPC_RMID, None)
            self._at = None
