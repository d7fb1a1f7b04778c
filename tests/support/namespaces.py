"""Network name spaces of one run, without names that could be left: each lives as long as the process that
holds it, and that ends with ours, however that ends."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from moonlight_spawner.processes.kernel import die_with_parent

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_setns = ctypes.CDLL(None, use_errno=True).setns


class NetworkNamespace:
    """Its loopback is up; what is done :meth:`inside` it, and all that this starts, is there."""

    def __init__(self, holder: subprocess.Popen[bytes], thread: ThreadPoolExecutor):
        self.pid = holder.pid
        self._thread = thread

    def inside(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Do this in the one thread that is there, and wait for it."""
        return self._thread.submit(work, *arguments, **options).result()


@contextmanager
def network_namespace() -> Iterator[NetworkNamespace]:
    """Of root's making."""
    argv = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
    try:
        assert holder.stdout and holder.stdout.readline() == b"up\n"
        with ThreadPoolExecutor(1, initializer=enter, initargs=(holder.pid,)) as thread:
            yield NetworkNamespace(holder, thread)
    finally:
        holder.kill()
        holder.communicate()


def enter(pid: int) -> None:
    """For the thread that calls, and what it starts."""
    with open(f"/proc/{pid}/ns/net") as there:
        if _setns(there.fileno(), _CLONE_NEWNET):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
