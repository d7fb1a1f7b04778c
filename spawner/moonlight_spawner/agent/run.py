"""One session on the node, from the first claim to the last word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from ..files import read_shared
from ..records import Spec
from ..session import End, State, StepState, from_epoch, now
from .memory import remove_left
from .offspring import end_descendants
from .parts import START_FAILURES, Parts
from .places import remove_places
from .status import StatusFile, could_not_start

log = logging.getLogger(__name__)

_STOP_POLL_SECONDS = 1.0
# `--signal=B:TERM@60` was seen 92 s before the limit (Slurm 22.05): Slurm looks at limits on a tick
# of about 30 s, so it is early by up to one. The rest is for whole seconds and a busy node. A session
# that is cancelled from outside this shortly before its limit cannot be told from one that reached it.
_TERM_BEFORE_LIMIT = timedelta(seconds=60 + 30 + 15)


def run(directory: Path, runtime: Path) -> int:
    """Run the session described by ``directory/spec.json``; gives the exit status of the job."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
    )
    data = read_shared(directory / "spec.json")
    if data is None:
        raise FileNotFoundError(f"{directory}/spec.json does not exist on this node")
    agent = Agent(directory, runtime, Spec.model_validate_json(data))
    try:
        return asyncio.run(agent.run())
    finally:
        end_descendants(0.3)
        remove_left(runtime, os.getpid())
        # The guardian does it too; but it may be the one that was killed.
        remove_places(runtime)


class Agent:
    """One session: starts its parts, watches them, ends them, and says why."""

    def __init__(self, directory: Path, runtime: Path, spec: Spec):
        self._directory = directory
        self._spec = spec
        self._status = StatusFile.new(directory)
        self._parts = Parts(spec, directory, runtime, self._status)
        self._stop = asyncio.Event()
        self._started = now()
        self._ends_at = self._end_time()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the guardian held them back
        self._status.write()
        watch = asyncio.ensure_future(self._watch_for_stop())
        work = asyncio.ensure_future(self._work())
        told = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({work, told}, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                end = self._stopped()
            else:
                end = work.result()
                # A batch system may signal the whole process tree at once: then a part's end is
                # the consequence, and the signal for us is only a moment away.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 0.3)
                    end = self._stopped()
        finally:
            watch.cancel()
            told.cancel()
        self._status.status.phase = "stopping"
        self._status.write()
        await self._parts.stop()
        self._status.end(end)
        return 1 if end.state is State.FAILED else 0

    async def _work(self) -> End:
        try:
            await self._parts.start()
        except START_FAILURES as e:
            self._fail_step(str(e))
            return End(state=State.FAILED, code=type(e).__name__, reason=str(e))
        except OSError as e:
            log.exception("the start failed")
            why = could_not_start(e)
            self._fail_step(why)
            return End(state=State.FAILED, code="StartFailed", reason=why)
        return await self._parts.watch(self._ends_at)

    async def _watch_for_stop(self) -> None:
        """End on the user's word even when the batch system cannot carry it here."""
        while True:
            await asyncio.sleep(_STOP_POLL_SECONDS)
            if self._asked_to_stop():
                self._stop.set()

    def _asked_to_stop(self) -> bool:
        try:
            return read_shared(self._directory / "stop.json") is not None
        except OSError as e:  # ESTALE of NFS: at the next look it may be over
            log.error("cannot see whether the session is to be stopped: %s", e)
            return False

    def _stopped(self) -> End:
        if self._asked_to_stop():
            return End(state=State.CANCELLED, code="StoppedByUser", reason="You stopped it.")
        if now() > self._ends_at - _TERM_BEFORE_LIMIT:
            return End(
                state=State.TIMEOUT,
                code="TimeLimit",
                reason=f"The session reached its time limit of {self._spec.request.hours:g} h.",
            )
        return End(
            state=State.CANCELLED,
            code="CancelledOutside",
            reason="The job was ended from outside (scancel, preemption or an administrator).",
        )

    def _end_time(self) -> datetime:
        told = os.environ.get("SLURM_JOB_END_TIME", "")
        if told.isdigit():
            return from_epoch(int(told))
        return self._started + timedelta(minutes=self._spec.request.minutes)

    def _fail_step(self, why: str) -> None:
        """The step that failed has the reason; another that was on its way is just not done."""
        steps = self._status.status.steps
        failed = any(step.state is StepState.FAILED for step in steps)
        for step in steps:
            if step.state is StepState.RUNNING:
                state = StepState.WAITING if failed else StepState.FAILED
                self._status.step(step.id, state, "" if failed else why)
