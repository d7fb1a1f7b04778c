"""One session on the node, from the first claim to the last word."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from ..model.files import read_shared
from ..model.records import Spec, TurnCredentials
from ..model.sentences import Said
from ..model.session import End, State, StepState
from ..processes import loop
from ..processes.offspring import end_descendants
from .callback import News
from .deadline import Deadline, job_began, time_limit
from .ending import end_on_record, record_is_gone, why_told
from .node.memory import remove_left
from .node.places import remove_places
from .parts import START_FAILURES, Parts
from .status import StatusFile, could_not_start, failure

log = logging.getLogger(__name__)

_STOP_POLL_SECONDS = 1.0
_SURELY_GONE = 3  # looks in a row


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
        return loop.run(agent.run())
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
        self._news = News.of(directory)
        if self._news:
            self._status.tell = self._news.tell
        self._parts = Parts(spec, directory, runtime, self._status)
        self._stop = asyncio.Event()
        self._deadline = Deadline(spec, self._status, job_began(), os.environ)

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop.set)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the guardian held them back
        if self._news:
            self._news.renew(lambda: self._spec.sunshine.turn_username, partial(self._given, loop))
        self._status.write()
        watch = asyncio.ensure_future(self._watch_for_stop())
        work = asyncio.ensure_future(self._work())
        told = asyncio.ensure_future(self._stop.wait())
        up = asyncio.ensure_future(self._deadline.passes())
        try:
            await asyncio.wait({work, told, up}, return_when=asyncio.FIRST_COMPLETED)
            if told.done():
                end = self._told()
            elif work.done():
                end = work.result()
                # A batch system may signal the whole process tree at once: then a part's end is
                # the consequence, and the signal for us is only a moment away.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), 0.3)
                    end = self._told()
            else:
                up.result()  # what went wrong there is no end of the time
                end = time_limit(self._spec.request.hours)
            # On record before anything is ended, for the guardian, should that take too long.
            self._status.status.phase, self._status.status.ending = "stopping", end
            self._status.write()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        finally:
            for task in (watch, told, up):
                task.cancel()
        await self._parts.stop(end.reason)
        self._status.end(end)
        return 1 if end.state is State.FAILED else 0

    async def _work(self) -> End:
        try:
            await self._parts.start()
        except START_FAILURES as e:
            self._fail_step(failure(e))
            return End.saying(State.FAILED, failure(e))
        except (OSError, asyncio.TimeoutError) as e:
            log.exception("the start failed")
            why = Said(could_not_start(e), "StartFailed")
            self._fail_step(why)
            return End.saying(State.FAILED, why)
        warnings = asyncio.ensure_future(self._deadline.warn(self._parts.warn))
        try:
            return await self._parts.watch()
        finally:
            warnings.cancel()

    async def _watch_for_stop(self) -> None:
        """End on the user's word, or on an end on record, even when the batch system cannot carry
        it here; and where nothing is on record any more, because nobody could stop the desktop then."""
        missed = 0
        while True:
            await asyncio.sleep(_STOP_POLL_SECONDS)
            missed = missed + 1 if record_is_gone(self._directory) else 0
            if end_on_record(self._directory) or missed >= _SURELY_GONE:
                self._stop.set()

    def _told(self) -> End:
        return why_told(self._directory, self._status.status)

    def _given(self, loop: asyncio.AbstractEventLoop, turn: TurnCredentials) -> None:
        """By the thread that tells the portal."""
        with contextlib.suppress(RuntimeError):  # it is over
            loop.call_soon_threadsafe(self._parts.renew_turn, turn)

    def _fail_step(self, why: Said) -> None:
        """The step that failed has the reason; another that was on its way is just not done."""
        steps = self._status.status.steps
        failed = any(step.state is StepState.FAILED for step in steps)
        for step in steps:
            if step.state is StepState.RUNNING:
                state = StepState.WAITING if failed else StepState.FAILED
                self._status.step(step.id, state, "" if failed else why)
