"""Makes a program's SysV shared memory for it, so that it is private from the first moment.

Sunshine and many X programs ask for segments of mode 0777, which every user of the node may
attach: he sees the screen (sunshine.md; shmget(2)). A seccomp filter (seccomp_unotify(2), Linux 5.0
or RHEL 8) hands those calls to the agent, which makes the segment with mode 0600 in the program's
stead. It wants no_new_privs, so it is for programs of ours, and not for the desktop, where
set-user-ID programs have their uses.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

# Number of shmget, of seccomp, and the architecture as seccomp(2) tells it.
_MACHINES = {"x86_64": (29, 317, 0xC000003E), "aarch64": (194, 277, 0xC00000B7)}
_OTHERS = 0o077  # what a segment's mode may allow to group and others
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 1 << 3
_ALLOW, _USER_NOTIF = 0x7FFF0000, 0x7FC00000
_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_NOTICE = struct.Struct("=QIIiIQ6Q")  # id, pid, flags; nr, arch, ip, arguments
_ANSWER = struct.Struct("=Qqii")  # id, value, -errno, flags
_IPC_RMID = 0
_POLL_MS = 1000  # kernels before 5.9 do not tell that the last program has gone

Made = Callable[[int, int], None]
_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)


class PrivateSegments:
    """For one program and what it starts.

    Parameters
    ----------
    made
        Told of each segment: its id and the process id of whose it is. From a thread.
    """

    def __init__(self, made: Made):
        self._made = made
        self._agent, self._program = socket.socketpair()
        self._filter = _filter()
        self._listener = -1

    def before(self) -> None:
        """In the child, before its program: from now on its calls come here, if that can be."""
        with contextlib.suppress(OSError):
            _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            listener = _listen(self._filter)
            if listener >= 0:
                socket.send_fds(self._program, [b"."], [listener])
                os.close(listener)

    def begin(self) -> bool:
        """In the agent, when the program runs (or not): answer; False if this node cannot do it."""
        self._agent.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            _, found, _, _ = socket.recv_fds(self._agent, 1, 1)
            self._listener = found[0] if found else -1
        self._agent.close()
        self._program.close()
        if self._listener >= 0:
            threading.Thread(target=self._answer_all, name="segments", daemon=True).start()
        return self._listener >= 0

    def _answer_all(self) -> None:
        """Until nobody is left who could ask."""
        ready = select.poll()
        ready.register(self._listener, select.POLLIN)
        try:
            while True:
                for _, what in ready.poll(_POLL_MS):
                    if not what & select.POLLIN:
                        return
                    self._answer_one()
        finally:
            os.close(self._listener)

    def _answer_one(self) -> None:
        notice = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notice)
        except OSError:  # it was killed meanwhile
            return
        number, pid, *_, key, size, mode, _, _, _ = _NOTICE.unpack(notice)
        segment = _shmget(key, size, mode & ~_OTHERS)
        value, error = (segment, 0) if segment >= 0 else (0, segment)
        if segment >= 0:
            self._made(segment, pid)
        try:
            fcntl.ioctl(self._listener, _SEND, _ANSWER.pack(number, value, error, 0))
        except OSError:
            if segment >= 0 and key == 0:
                _libc.shmctl(segment, _IPC_RMID, None)


def supported() -> bool:
    """Whether it can be done on this node, found out by doing it."""
    ask = "import ctypes; print(ctypes.CDLL(None).shmget(0, 4096, 0o1777))"
    made: list[int] = []
    segments = PrivateSegments(lambda segment, pid: made.append(segment))
    try:
        argv = [sys.executable, "-I", "-c", ask]
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, preexec_fn=segments.before, text=True
        ) as program:
            works = segments.begin()
            told = program.communicate()[0].strip()
    except OSError:
        return False
    if told.isdigit():
        _libc.shmctl(int(told), _IPC_RMID, None)
    return works and told == str(made[0] if made else "")


def _shmget(key: int, size: int, mode: int) -> int:
    """A segment's id, or minus the number of the error."""
    segment = _libc.shmget(_int(key), size, _int(mode))
    return int(segment) if segment >= 0 else -(ctypes.get_errno() or errno.EINVAL)


def _int(argument: int) -> int:
    """An int as the kernel takes it from a register: the lower half."""
    return ctypes.c_int(argument & 0xFFFFFFFF).value


def _filter() -> ctypes.Array[ctypes.c_char] | None:
    """``shmget`` with bits for group or others is ours to answer, everything else is as it was."""
    known = _MACHINES.get(platform.machine())
    if known is None or sys.byteorder != "little":
        return None
    shmget, _, architecture = known
    steps = [
        (_LOAD, 0, 0, 4),  # the architecture: programs of another one are left alone
        (_EQUAL, 0, 5, architecture),
        (_LOAD, 0, 0, 0),  # the call
        (_EQUAL, 0, 3, shmget),
        (_LOAD, 0, 0, 32),  # its third argument, the lower half
        (_AND, 0, 0, _OTHERS),
        (_EQUAL, 0, 1, 0),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _USER_NOTIF),
    ]
    return ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *s) for s in steps))


def _listen(program: ctypes.Array[ctypes.c_char] | None) -> int:
    """Install the filter; the descriptor at which its questions come, -1 if that cannot be."""
    if program is None:
        return -1
    length = (len(program) - 1) // 8
    head = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", length, ctypes.addressof(program)))
    call = _MACHINES[platform.machine()][1]
    return int(_libc.syscall(call, _SET_MODE_FILTER, _NEW_LISTENER, head))
