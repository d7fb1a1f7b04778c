"""What stays beside a program in its container: the parent that waits for it, and mount helpers.

The parent hands signals on and ends as the program does. Helpers run in process groups of their own,
in the caller's session, and end with the container; after a KILL of the parent nobody tells them.
A helper only has the name of one: there is nothing mounted here.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from image import Fatal, words
from said import info

_PR_SET_PDEATHSIG = 1


def contained(
    program: str, command: Sequence[str], env: Mapping[str, str], helpers: Sequence[str]
) -> int:
    """Run the program to its end; its status, negative for a signal."""
    beside = [_helper(name) for name in helpers]
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            os.execve(program, list(command), dict(env))
        except OSError as e:
            Fatal(f"exec {program} failed: {words(e)}").say()
        os._exit(255)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _: _tell(pid, n))
    _, status = os.waitpid(pid, 0)
    for helper in beside:
        _tell(helper, signal.SIGKILL)
        os.waitpid(helper, 0)
    return os.waitstatus_to_exitcode(status)


def _tell(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@contextlib.contextmanager
def unpacked(image: str) -> Iterator[None]:
    """All of an image, if there is one, in a directory, which stays where the parent is killed."""
    if not image:
        yield
        return
    info("squashfuse not found, will not be able to mount SIF or other squashfs files")
    info("Converting SIF file to temporary sandbox...")
    rootfs = tempfile.mkdtemp(prefix="rootfs-", dir=os.environ.get("APPTAINER_TMPDIR") or "/tmp")
    shutil.copy(image, os.path.join(rootfs, "image"))
    yield
    info("Cleaning up image...")
    shutil.rmtree(rootfs)


def _helper(name: str) -> int:
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        for fd in range(3):  # what it says is the parent's to read
            os.dup2(os.open("/dev/null", os.O_RDWR), fd)
        with open("/proc/self/comm", "w") as comm:
            comm.write(name)
        while True:
            signal.pause()
    return pid
