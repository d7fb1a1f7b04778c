"""Runs one job on this machine as a batch system would: waits for a place, limits its time, hands
TERM on, kills what does not go, and keeps its state in ``local.json``.

``python -m moonlight_spawner.scheduler.local_runner DIRECTORY LOG MINUTES SLOTS HOW_MANY``

A launch is answered when it has spoken, so it loads little: no models of records, no settings. What it
writes is read as a :class:`.local.LocalJob`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from ..model.files import write_private
from ..model.job_state import JOB_END, JobState
from ..model.moments import now
from ..processes.kernel import become_subreaper, die_with_parent
from ..processes.offspring import end_descendants, reap_adopted
from ..processes.signs import signs_of
from ..processes.umask import keep_private, of_the_user
from .local_queue import Ticket

# As Slurm: TERM at the limit, KILL so long after it (KillWait).
_KILL_SECONDS = 30.0
_TICK_SECONDS = 0.1


@dataclass
class Runner:
    directory: Path
    log: Path
    seconds: float
    slots: Path
    how_many: int
    told: bool = False
    job: dict[str, int | str] = field(init=False)
    ticket: Ticket = field(init=False)

    def run(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._hear)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if not self._wait_for_slot():
            self.ticket.close()
            self._end(JobState.CANCELLED)
            return
        started_at = now()
        ends_at = started_at + timedelta(seconds=self.seconds)
        self._tell(JobState.RUNNING, started_at=started_at.isoformat(), ends_at=ends_at.isoformat())
        state = self._run_script(ends_at)
        end_descendants()
        self.ticket.close()
        self._end(state)

    def announce(self) -> None:
        """Queue up and write the first state, so that whoever submitted knows the job is known."""
        self.ticket = Ticket(self.slots, self.how_many)
        self.job = signs_of(os.getpid())
        self._tell(
            JobState.PENDING,
            code="LocalSlots",
            message=f"This machine runs {self.how_many} of your sessions at once. "
            "It starts when one of them ends.",
        )

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self.told = True

    def _wait_for_slot(self) -> bool:
        """A place, in the order of asking; False when told to end before."""
        try:
            while not self.told:
                if self.ticket.has_place():
                    return True
                time.sleep(_TICK_SECONDS * 2)
        finally:
            self.ticket.give_up()
        return False

    def _run_script(self, ends_at: datetime) -> JobState:
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        script = subprocess.Popen(
            ["/bin/bash", str(self.directory / "job.sh")],
            cwd=self.directory,
            env={**os.environ, JOB_END: f"{int(ends_at.timestamp())}"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            umask=of_the_user(),
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
        os.close(log)
        limit = time.monotonic() + self.seconds
        kill_at, term_sent, timed_out = float("inf"), False, False
        while script.poll() is None:
            clock = time.monotonic()
            if (self.told or clock > limit) and not term_sent:
                term_sent, timed_out = True, not self.told
                kill_at = clock + _KILL_SECONDS
                script.terminate()
            if clock > kill_at:
                script.kill()
            reap_adopted({script.pid})
            time.sleep(_TICK_SECONDS)
        if timed_out:
            return JobState.TIMEOUT
        if self.told:
            return JobState.CANCELLED
        return JobState.COMPLETED if script.returncode == 0 else JobState.FAILED

    def _end(self, state: JobState) -> None:
        self._tell(state, ended_at=now().isoformat())

    def _tell(self, state: JobState, code: str = "", message: str = "", **moments: str) -> None:
        self.job |= {"state": state.value, "code": code, "message": message, **moments}
        write_private(self.directory / "local.json", json.dumps(self.job))


def main(argv: list[str]) -> int:
    directory, log, minutes, slots, how_many = argv
    if daemon := os.fork():  # the parent waits below for its first word, then ends
        return _wait_for_first_word(Path(directory), daemon)
    os.setsid()
    keep_private()
    become_subreaper()
    runner = Runner(Path(directory), Path(log), float(minutes) * 60, Path(slots), int(how_many))
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    runner.announce()
    runner.run()
    return 0


def _wait_for_first_word(directory: Path, daemon: int) -> int:
    """However long that takes on a busy machine: where it is said that nothing was started, nothing is."""
    ended = 0
    while not (directory / "local.json").exists():
        if ended:
            print(f"the runner wrote nothing into {directory}", file=sys.stderr)
            return 1
        ended, _ = os.waitpid(daemon, os.WNOHANG)  # and one more look at what it wrote
        time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
