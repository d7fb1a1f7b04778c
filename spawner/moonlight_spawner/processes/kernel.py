"""What the kernel is asked of this process (prctl(2))."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Ask the kernel for ``signum`` when the parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def gain_no_rights() -> None:
    """Have the kernel ignore set-user-ID bits and file capabilities of what is run from now on.

    A program with capabilities of its own is closed to its user's eyes: ``/proc/PID/fd`` and its
    environment belong to root then (proc(5), prctl(2) on PR_SET_DUMPABLE).
    """
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become_subreaper() -> None:
    """Become the parent of all orphans below, daemons that fork twice included."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
