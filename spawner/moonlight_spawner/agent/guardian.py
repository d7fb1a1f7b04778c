"""The job's own process: it outlives the agent, whatever happens to that, and leaves nothing.

It is the process that the batch system signals, hands TERM to the agent,
adopts every orphan below it, and when the agent has ended, in order or not, ends what is left
and makes sure that a last word with a reason is on record.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import time
from pathlib import Path
from types import FrameType

from ..model.errors import UnsafeDirectory
from ..model.session import End, State
from ..model.trust import exchangeable
from ..processes.kernel import become_subreaper, die_with_parent
from ..processes.offspring import end_descendants
from ..processes.umask import keep_private
from .ending import end_of_an_earlier_run, end_on_record, why_told
from .node.alone import Alone, be_alone
from .node.memory import remove_left
from .node.places import make_places, remove_display, remove_places, remove_sockets, sweep
from .status import StatusFile, could_not_start

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
# The agent ends everything within 5 s; after this it is taken to hang.
_PATIENCE_SECONDS = 8.0
# Nothing of the session is left by then but this process and the job's time.
_LAST_WORD_SECONDS = 3.0


def guard(directory: Path) -> int:
    """Run the session in ``directory`` to its end; gives the job's exit status."""
    keep_private()
    runtime, guardian = None, os.getpid()
    try:
        alone = _alone_with_session(directory)
        if alone is None:
            return 0
        if end := end_on_record(directory) or end_of_an_earlier_run(directory):
            return _ended_before(directory, end)
        sweep()
        # Held back until the guardian, and the agent for itself, can hear them: one that came in
        # between would end the process that has to clean up.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        runtime = make_places()
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


def _alone_with_session(directory: Path) -> Alone | None:
    """Become what the session needs above it; None if a twin has run it to its end.

    Raises
    ------
    UnsafeDirectory
    """
    _refuse_strangers(directory)
    become_subreaper()
    die_with_parent(signal.SIGTERM)
    return be_alone(directory)


def _never_began(directory: Path, runtime: Path | None, error: OSError | UnsafeDirectory) -> int:
    """Say why, where the user looks if that is possible."""
    why = str(error) if isinstance(error, UnsafeDirectory) else could_not_start(error)
    print(f"moonlight-hpc: {why}", file=sys.stderr)
    if runtime:
        remove_places(runtime)
    with contextlib.suppress(OSError):
        # A status that is there already is that of a twin, which may be running.
        if directory.lstat().st_uid == os.geteuid() and not (directory / "status.json").exists():
            end = End(state=State.FAILED, code="StartFailed", reason=why)
            record = StatusFile.new(directory)
            record.end(end)
            _tell_portal(directory, record)
    return 1


def _ended_before(directory: Path, end: End) -> int:
    """Nothing is started for a session that has ended: its agent's word is that end."""
    print(f"moonlight-hpc: the session has ended already: {end.reason}", file=sys.stderr)
    record = StatusFile.load(directory)
    record.end(end)
    _tell_portal(directory, record)
    return 0


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
    remove_sockets()
    remove_places(runtime)
    record = StatusFile.load(directory)
    if record.status.display_num is not None:
        remove_display(record.status.display_num)
    if record.status.end is None:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if told or record.status.ending or end_on_record(directory):
            end = why_told(directory, record.status, code="Ended")
        else:
            end = End(
                state=State.FAILED,
                code="AgentKilled",
                reason=f"The agent on the node was killed ({how}). If memory was short, ask for more.",
            )
        record.end(end)
    _tell_portal(directory, record)
    return 0 if status == 0 else 1


def _tell_portal(directory: Path, record: StatusFile) -> None:
    """The last word, which the agent had no time to bring, or was not there to say."""
    from .callback import News

    if news := News.of(directory):
        news.tell(record.status)
        news.end(_LAST_WORD_SECONDS)
