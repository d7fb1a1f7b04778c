"""The job's own process: it outlives the agent, whatever happens to that, and leaves nothing.

It is the process that the batch system signals (``--signal=B:TERM``), hands TERM to the agent,
adopts every orphan below it, and when the agent has ended, in order or not, ends what is left
and makes sure that a last word with a reason is on record.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from ..errors import UnsafeDirectory
from ..files import read_own, read_shared
from ..session import End, State
from ..trust import exchangeable
from .memory import remove_left
from .processes import become_subreaper, die_with_parent, end_descendants
from .status import StatusFile, could_not_start
from .xserver import remove_leftovers

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
_RUNTIME = "moonlight-"
# The agent ends everything within 5 s; after this it is taken to hang.
_PATIENCE_SECONDS = 8.0


def guard(directory: Path) -> int:
    """Run the session in ``directory`` to its end; gives the job's exit status."""
    os.umask(0o077)
    runtime, guardian = None, os.getpid()
    try:
        alone = _alone_with_session(directory)
        if alone is None:
            return 0
        _sweep()
        # Held back until the guardian, and the agent for itself, can hear them: one that came in
        # between would end the process that has to clean up.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        runtime = Path(tempfile.mkdtemp(prefix=_RUNTIME, dir=_temporary_directory()))
        (runtime / "guardian").write_text(str(guardian))
        agent = os.fork()
    except (OSError, UnsafeDirectory) as e:
        return _never_began(directory, runtime, e)
    if agent == 0:
        os._exit(_agent(directory, runtime, guardian))

    told_at = 0.0

    def hand_on(signum: int, frame: FrameType | None) -> None:
        nonlocal told_at
        told_at = told_at or time.monotonic()
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(agent, signal.SIGTERM)

    for signum in _SIGNALS:
        signal.signal(signum, hand_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    status = None
    while status is None:
        pid, wait_status = os.waitpid(-1, os.WNOHANG)
        if pid == agent:
            status = os.waitstatus_to_exitcode(wait_status)
        elif pid == 0:
            if told_at and time.monotonic() - told_at > _PATIENCE_SECONDS:
                os.kill(agent, signal.SIGKILL)
            time.sleep(0.05)
    for signum in _SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
    result = _clean_up(directory, runtime, agent, status, bool(told_at))
    alone.close()
    return result


def _alone_with_session(directory: Path) -> socket.socket | None:
    """Become what the session needs above it; None if a twin has run it to its end.

    Raises
    ------
    UnsafeDirectory
    """
    _refuse_strangers(directory)
    become_subreaper()
    die_with_parent(signal.SIGTERM)
    return _be_the_only_one(directory)


def _temporary_directory() -> str:
    """The job's TMPDIR if it can be used, else the system's; the desktop gets the same."""
    found = tempfile.gettempdir()
    wanted = os.environ.get("TMPDIR")
    if wanted and os.path.abspath(wanted) != found:
        print(f"TMPDIR, {wanted}, cannot be used here: {found} is, instead", file=sys.stderr)
        del os.environ["TMPDIR"]
    return found


def _never_began(directory: Path, runtime: Path | None, error: OSError | UnsafeDirectory) -> int:
    """Say why, where the user looks if that is possible."""
    why = str(error) if isinstance(error, UnsafeDirectory) else could_not_start(error)
    print(f"moonlight-hpc: {why}", file=sys.stderr)
    if runtime:
        shutil.rmtree(runtime, ignore_errors=True)
    with contextlib.suppress(OSError):
        # A status that is there already is that of a twin, which may be running.
        if directory.lstat().st_uid == os.geteuid() and not (directory / "status.json").exists():
            end = End(state=State.FAILED, code="StartFailed", reason=why)
            StatusFile.new(directory).end(end)
    return 1


def _refuse_strangers(directory: Path) -> None:
    """What is in the directory is done in the user's name, so it has to be his.

    Raises
    ------
    UnsafeDirectory
    """
    for path in (directory, directory / "spec.json", directory / "token"):
        info = path.lstat()
        if info.st_uid != os.geteuid() or stat.S_ISLNK(info.st_mode):
            raise UnsafeDirectory(f"{path} is not yours (uid {info.st_uid}): nothing is started.")
    if why := exchangeable(directory):
        raise UnsafeDirectory(f"{directory} is not safe: {why}. Nothing is started.")


def _sweep() -> None:
    """Remove what earlier sessions of this user left here when everything of them was killed."""
    for path in Path(tempfile.gettempdir()).glob(f"{_RUNTIME}*"):
        with contextlib.suppress(OSError, ValueError):
            if path.lstat().st_uid != os.geteuid() or path.is_symlink():
                continue
            pid = int(read_own(path / "guardian") or "")
            if not Path(f"/proc/{pid}").exists():
                remove_left(path)
                shutil.rmtree(path, ignore_errors=True)
    _remove_ice_sockets()
    for lock in Path("/tmp").glob(".X*-lock"):
        number = lock.name.removeprefix(".X").removesuffix("-lock")
        if number.isascii() and number.isdigit():
            _remove_display(int(number))


def _be_the_only_one(directory: Path) -> socket.socket | None:
    """A lock on the session, or None once the twin that had it has ended.

    slurmctld may start a job a second time beside itself: one started by backfill is not in its
    state file yet, so after a crash it takes the job for pending (measured on 22.05). Ending here
    would make Slurm end the first one too, so the second one waits. The name of the lock comes
    from the token: one that a stranger could guess, he could hold.
    """
    secret = hashlib.sha256((directory / "token").read_bytes()).hexdigest()
    twin_seen = False
    while True:
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            lock.bind(f"\0moonlight-hpc/session/{secret}")
            return lock if not twin_seen else None
        except OSError:
            lock.close()
            twin_seen = True
            time.sleep(1)


def _agent(directory: Path, runtime: Path, guardian: int) -> int:
    from .run import run

    become_subreaper()
    die_with_parent(signal.SIGTERM)
    if os.getppid() != guardian:  # it ended before the line above
        return 1
    try:
        return run(directory, runtime)
    except BaseException as e:
        import traceback

        traceback.print_exc()
        why = could_not_start(e) if isinstance(e, OSError) else f"The agent failed: {e!r}."
        StatusFile.load(directory).end(End(state=State.FAILED, code="AgentFailed", reason=why))
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _clean_up(directory: Path, runtime: Path, agent: int, status: int, told: bool) -> int:
    end_descendants()
    remove_left(runtime, agent)
    _remove_ice_sockets()
    shutil.rmtree(runtime, ignore_errors=True)
    record = StatusFile.load(directory)
    if record.status.display_num is not None:
        _remove_display(record.status.display_num)
    if record.status.end is None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if read_shared(directory / "stop.json") is not None:
            end = End(state=State.CANCELLED, code="StoppedByUser", reason="You stopped it.")
        elif told:
            end = End(state=State.CANCELLED, code="Ended", reason="The job was ended from outside.")
        else:
            end = End(
                state=State.FAILED,
                code="AgentKilled",
                reason=f"The agent on the node was killed ({how}). If memory was short, ask for more.",
            )
        record.end(end)
    return 0 if status == 0 else 1


def _remove_ice_sockets() -> None:
    """Sockets of session managers of ours that have ended: they would stop a later desktop, of
    anybody, that gets the same process id."""
    for path in Path("/tmp/.ICE-unix").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            ours = path.lstat().st_uid == os.geteuid()
            if ours and not Path(f"/proc/{path.name}").exists():
                path.unlink()


def _remove_display(display: int) -> None:
    """Lock and socket of our X server, if it was killed: its lock names a process that is gone."""
    try:
        pid = int(read_own(Path(f"/tmp/.X{display}-lock")) or "")
        if not Path(f"/proc/{pid}").exists():
            remove_leftovers(display, pid)
    except (OSError, ValueError):
        return
