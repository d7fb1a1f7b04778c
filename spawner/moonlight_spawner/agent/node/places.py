"""The session's own directories on its node: made where nobody can exchange them, marked as the
guardian's, and removed with all that is in them; those of dead sessions too.

There are two. The runtime directory has the session's sockets and secrets. It lies in /tmp, beside
the X server's, and has a short plain name: a Unix socket's path has room for 107 bytes (unix(7)) and
an address of D-Bus or PulseAudio none for a space. What programs put into TMPDIR goes below the
job's TMPDIR, where the site has made room for it, whatever name that has: TMPDIR of the session is
``tmp`` in the runtime directory, and where the job has another one than /tmp a link to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from ...model.errors import UnsafeDirectory
from ...model.files import read_own, write_private
from ...model.trust import exchangeable
from ...processes.mark import ProcessMark, mark_of, runs
from ..display.screen import SOCKETS
from ..display.xserver import remove_leftovers
from .memory import remove_left

_PREFIX = "moonlight-"
_MARK = "guardian"
_TEMPORARY = "tmp"
_MOST_MARK = 4096
_SYSTEM = Path("/tmp")
_ICE = Path("/tmp/.ICE-unix")


def make_places() -> Path:
    """Make the session's runtime directory, with ``tmp`` in it.

    Raises
    ------
    OSError, UnsafeDirectory
        There is no place for it on this node.
    """
    if why := exchangeable(_SYSTEM):
        raise UnsafeDirectory(
            f"There is no safe place for the session on node {os.uname().nodename}: {why}. "
            f"An administrator has to see to it: {_SYSTEM} is root's, with mode 1777."
        )
    runtime = _make(_SYSTEM)
    job = _of_the_job()
    try:
        if job:
            (runtime / _TEMPORARY).symlink_to(_make(job))
            return runtime
    except OSError as e:
        _say_unusable(str(job), f"{e.strerror}")
    (runtime / _TEMPORARY).mkdir(mode=0o700)
    return runtime


def temporary(runtime: Path) -> Path:
    """TMPDIR of the session's programs."""
    return runtime / _TEMPORARY


def remove_places(runtime: Path) -> None:
    """Remove the session's directories, and what its programs have put there."""
    link = runtime / _TEMPORARY
    with contextlib.suppress(OSError):
        target = Path(os.readlink(link))
        # The link is the programs' to exchange: only a directory of this session is removed.
        ours = target.name.startswith(_PREFIX) and _mark(target) == _mark(runtime) is not None
        if ours and not exchangeable(target.parent):
            remove_all(target)
    remove_all(runtime)


def sweep() -> None:
    """Remove what sessions of this user have left here when everything of them was killed.

    Nothing of those that may be alive: what lies here may be another machine's or container's. And
    nothing where others could put something else of the user's in the place of what is removed.
    """
    bases = {_SYSTEM, Path(os.environ.get("TMPDIR") or _SYSTEM)}
    safe = [base for base in bases if not exchangeable(base)]
    for base in safe:
        for path in base.glob(f"{_PREFIX}*"):
            mark = _mark(path)
            if mark and mark.gone():
                remove_left(path)
                remove_places(path)
    if _SYSTEM not in safe:
        return
    remove_sockets()
    for lock in _SYSTEM.glob(".X*-lock"):
        number = lock.name.removeprefix(".X").removesuffix("-lock")
        if number.isascii() and number.isdigit():
            remove_display(int(number))


def remove_sockets() -> None:
    """Sockets in /tmp of programs of ours that were killed, which know no other place.

    A session manager's would stop a later desktop, of anybody, that gets the same process id.
    """
    for path in _ICE.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            ours = path.lstat().st_uid == os.geteuid()
            if ours and not runs(int(path.name)) and _nobody_listens(path):
                path.unlink()
    for directory in _SYSTEM.glob("ssh-*"):
        with contextlib.suppress(OSError):
            info = directory.lstat()
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid():
                sockets = list(directory.glob("agent.*"))
                if sockets and all(map(_nobody_listens, sockets)):
                    remove_all(directory)


def remove_display(display: int) -> None:
    """Lock and socket of our X server, if it was killed: its lock names a process that is gone."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(read_own(_SYSTEM / f".X{display}-lock") or "")
        if not runs(pid) and _nobody_listens(SOCKETS / f"X{display}"):
            remove_leftovers(display, pid)


def _of_the_job() -> Path | None:
    """The job's TMPDIR, None where it is /tmp or cannot be used, which the log says then."""
    wanted = os.environ.get("TMPDIR", "")
    if not wanted or os.path.normpath(wanted) == str(_SYSTEM):
        return None
    if not os.path.isabs(wanted):
        why = "it is no absolute path"
    elif not os.path.isdir(wanted):
        why = "there is no such directory"
    else:
        why = exchangeable(wanted)
    if not why:
        return Path(wanted)
    _say_unusable(wanted, why)
    return None


def _say_unusable(wanted: str, why: str) -> None:
    print(f"TMPDIR, {wanted}, cannot be used here: {why}. {_SYSTEM} is, instead", file=sys.stderr)


def _make(base: Path) -> Path:
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    write_private(made / _MARK, mark_of(os.getpid()).model_dump_json())
    return made


def _mark(path: Path) -> ProcessMark | None:
    """Whose directory of ours it is; None if it is not ours, or does not say it."""
    with contextlib.suppress(OSError, ValidationError):
        info = path.lstat()
        if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid():
            return ProcessMark.model_validate_json(read_own(path / _MARK, _MOST_MARK) or "")
    return None


def remove_all(directory: Path) -> None:
    """Also what programs have made read-only, as Go's module cache is."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory.is_dir():
        for each in _directories(directory):
            with contextlib.suppress(OSError):
                os.chmod(each, 0o700)
        shutil.rmtree(directory, ignore_errors=True)


def _directories(top: Path) -> Iterator[str]:
    """Each before what is in it is looked at."""
    yield str(top)
    for at, names, _ in os.walk(top):
        yield from (path for name in names if not os.path.islink(path := os.path.join(at, name)))


def _nobody_listens(path: Path) -> bool:
    """Whether the socket is an ended program's. Where process ids are another container's, they do
    not tell."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False
