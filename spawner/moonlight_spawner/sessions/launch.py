"""The way of one session into the batch system and out of it, also when that does not answer."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..model.errors import MoonlightError, SchedulerRefused, SchedulerUnavailable, SubmitUnconfirmed
from ..model.files import private_directory, write_private
from ..model.records import (
    Callback,
    Facts,
    IdleOptions,
    ImageOptions,
    Job,
    Missed,
    Spec,
    Stop,
    SunshineOptions,
    TurnCredentials,
)
from ..model.sentences import Said
from ..model.session import End, Session, State, Way, now
from ..scheduler.base import JobRequest, Scheduler, same_place
from ..site.options import MoonlightSite
from ..site.when import mail_to
from ..store import FileStore
from ..store.base import Damaged, M, Part
from .damage import Record
from .ends import heard_of
from .job import job_script
from .last_words import last_words
from .turn import lasting, made_for

log = logging.getLogger(__name__)
T = TypeVar("T")

_CANCEL_AGAIN_SECONDS = 20
# After a submission without an answer: how long the job may still turn up once Slurm answers.
_CONFIRM_SECONDS = 45


class Launcher:
    """Submits, finds and cancels the jobs of sessions, and remembers in the store what came of it."""

    def __init__(self, site: MoonlightSite, store: FileStore, scheduler: Scheduler):
        self.site = site
        self.store = store
        self.scheduler = scheduler
        self._background: set[asyncio.Task[Any]] = set()
        self._cancelled: dict[str, float] = {}

    async def submit(
        self, facts: Facts, callback: Callback | None = None, turn: TurnCredentials | None = None
    ) -> None:
        """Put the job of a session on record into the batch system.

        Raises
        ------
        SchedulerRefused, SchedulerUnavailable
            Nothing was submitted and nothing stays on record.
        """
        user, session_id = facts.user, facts.session_id
        try:
            await self._submit_job(facts, self.prepare(facts, callback, turn))
        except SubmitUnconfirmed as e:
            log.warning("%s: %s Looking for the job.", session_id, e)
        except Exception:
            # Not when the caller is interrupted: the job may be in the queue already, and a
            # record without a job is looked for.
            self.store.remove(user, session_id)
            raise

    def prepare(
        self, facts: Facts, callback: Callback | None = None, turn: TurnCredentials | None = None
    ) -> JobRequest:
        """Write what the agent of a session on record needs, whoever starts it: spec, token, and whom
        it tells of itself. ``turn`` is for who was given credentials; else they are made here."""
        site, session_id = self.site, facts.session_id
        directory = self.store.directory(session_id)
        logs = self.log_directory(session_id)
        spec = Spec(
            session_id=session_id,
            image_id=facts.image_id,
            image_path=facts.image_path,
            application=facts.application,
            host=facts.host,
            request=facts.request,
            max_width=site.max_width,
            max_height=site.max_height,
            display_min=site.display_min,
            display_max=site.display_max,
            port_min=site.port_min,
            port_max=site.port_max,
            gateway_address=site.gateway_address,
            gateway_plain_http=site.gateway_plain_http,
            log_dir=str(logs),
            scheduler=facts.scheduler,
            way=facts.way,
            job_ends_at=facts.allocation.ends_at if facts.allocation else None,
            x_server_command=list(site.x_server_command),
            virtualgl=site.virtualgl,
            audio=site.audio,
            input_method=site.input_method,
            clipboard=site.clipboard,
            files=site.files,
            files_folders=list(site.files_folders),
            previews=site.previews,
            sharing=site.sharing,
            image=ImageOptions(
                changes=site.image_changes,
                overlay_mb=site.image_overlay_mb,
                home=site.image_home,
                binds=list(site.image_binds),
                sandboxes_dir=site.sandboxes_dir,
            ),
            sunshine=sunshine_options(site, facts, turn),
            idle=idle_options(site),
            environment=list(site.job_environment),
        )
        write_private(directory / "spec.json", spec.model_dump_json())
        write_private(directory / "token", new_token())
        if callback:
            write_private(directory / "callback.json", callback.model_dump_json())
        return JobRequest(
            name=session_id,
            script=job_script(site, session_id, directory),
            directory=directory,
            log=logs / "agent.log",
            resources=facts.request,
            mail_to=mail_to(facts.request.mail_to, facts.user, site),
        )

    async def _submit_job(self, facts: Facts, request: JobRequest) -> None:
        # A task of its own: a browser that hangs up must not leave a job that nobody knows, and a
        # controller that hangs must not keep the user waiting.
        task = asyncio.ensure_future(self._submit_and_record(facts, request))
        done, _ = await asyncio.wait({task}, timeout=self.site.answer_seconds * 2)
        if done:
            await task
        else:
            self._keep(asyncio.ensure_future(self._submitted_late(facts, task)))

    async def _submit_and_record(self, facts: Facts, request: JobRequest) -> None:
        job_id = await self.scheduler.submit(request)
        try:
            self.store.put_once(facts.user, facts.session_id, "job", Job(job_id=job_id))
        except OSError as e:  # the job is there all the same, and is found by its name
            log.error("%s: job %s cannot be put on record: %s", facts.session_id, job_id, e)

    async def _submitted_late(self, facts: Facts, task: asyncio.Task[None]) -> None:
        """The user has been told that the submission is under way: its failure is the session's."""
        try:
            await task
        except SubmitUnconfirmed as e:
            log.warning("%s: %s Looking for the job.", facts.session_id, e)
        except MoonlightError as e:
            end = End(state=State.FAILED, reason=str(e), code=e.code)
            self.store.put_once(facts.user, facts.session_id, "end", end)

    async def confirm(self, unconfirmed: Sequence[Facts]) -> dict[str, Job]:
        """Look for jobs whose submission was not answered, by their unique names; those found."""
        if not unconfirmed:
            return {}
        try:
            names = [facts.session_id for facts in unconfirmed]
            found = await asyncio.wait_for(self.scheduler.find(names), self.site.answer_seconds)
        except (SchedulerUnavailable, asyncio.TimeoutError):
            for facts in unconfirmed:  # it counts only what the batch system answers
                if self._get(facts, "missed", Missed):
                    self.store.put(facts.user, facts.session_id, "missed", Missed())
            return {}
        jobs = {}
        for facts in unconfirmed:
            if job_id := found.get(facts.session_id):
                jobs[facts.session_id] = self._found(facts, job_id)
            else:
                self._still_missing(facts)
        return jobs

    def _found(self, facts: Facts, job_id: str) -> Job:
        user, session_id = facts.user, facts.session_id
        if isinstance(self.store.look(user, session_id, "job", Job), Damaged):
            self.store.mend(user, session_id, "job", Job(job_id=job_id))
        else:
            self.store.put_once(user, session_id, "job", Job(job_id=job_id))
        return self._get(facts, "job", Job) or Job(job_id=job_id)

    def _still_missing(self, facts: Facts) -> None:
        """The batch system answers, and has no such job: not yet, it never will, or not any more."""
        user, session_id = facts.user, facts.session_id
        self.store.put_once(user, session_id, "missed", Missed())
        missed = self._get(facts, "missed", Missed)
        if missed is None or (now() - missed.since).total_seconds() <= _CONFIRM_SECONDS:
            return
        agent = Record(self.store, user, session_id, facts.scheduler).agent()
        if agent and heard_of(agent, now()):  # it was taken, then, and its desktop lives
            return
        end = End(
            state=State.FAILED,
            code="SubmitLost",
            reason="The batch system never took the job: it did not answer when it was submitted. "
            "Start it again.",
        )
        if agent or self.store.look(user, session_id, "job", Job) is not None:
            end = End(
                state=State.FAILED,
                code="JobUnknown",
                reason="The batch system knows nothing of this session's job any more.",
            )
        if stop := self._get(facts, "stop", Stop):
            end = stop.end()
        # Should it come after all, its agent reads this and ends at once.
        self.store.put_once(user, session_id, "stop", Stop())
        self.store.put_once(user, session_id, "end", end)

    def _get(self, facts: Facts, part: Part, model: type[M]) -> M | None:
        return self.store.get(facts.user, facts.session_id, part, model)

    def elsewhere(self, facts: Facts, place: str) -> bool:
        """Whether its job is of another machine or cluster than ``place``: its id means nothing here."""
        return facts.scheduler != self.scheduler.name or not same_place(place, facts.place)

    async def cancel(self, facts: Facts) -> None:
        """Ask the batch system to end the job; what it does not take now is asked again later."""
        session_id = facts.session_id
        self._cancelled[session_id] = asyncio.get_running_loop().time()
        if facts.way is Way.GUEST:
            return  # the job is not the session's to end; its agent reads the word
        if self.elsewhere(facts, await self.scheduler.place()):
            return  # its agent has read the word by now
        try:
            job = self._get(facts, "job", Job)
            job_id = job.job_id if job else await self._job_of(facts)
            if job_id:
                await self.scheduler.cancel(job_id)
        except (SchedulerUnavailable, SchedulerRefused) as e:
            log.warning("%s is not cancelled yet: %s", session_id, e)

    async def end_remains(self, facts: Facts) -> Said:
        """Have the batch system end what it may still have of a session that has ended: a sentence
        about that, empty if there was nothing.

        It is found by its name: a number on an old record may be another job's by now.
        """
        if self.elsewhere(facts, await self.scheduler.place()):
            return Said("")
        try:
            job_id = await self._job_of(facts)
            if not job_id:
                return Said("")
            job = (await self.scheduler.query([job_id])).jobs.get(job_id)
            await self.scheduler.cancel(job_id)
        except (SchedulerUnavailable, SchedulerRefused) as e:
            return Said.by(
                "RemainsUnclear",
                "Whether the batch system still has its job is not known: {why}",
                why=e,
            )
        if job is None or job.state.ended:
            return Said("")
        return Said.by(
            "RemainsEnded",
            "The batch system still had its job {job} ({state}): it is ended now.",
            job=job_id,
            state=job.state.value,
        )

    async def _job_of(self, facts: Facts) -> str | None:
        return (await self.scheduler.find([facts.session_id])).get(facts.session_id)

    def cancel_again(self, facts: Facts) -> None:
        """A stop that the batch system did not take is repeated until the job is gone."""
        last = self._cancelled.get(facts.session_id, float("-inf"))
        if asyncio.get_running_loop().time() - last > _CANCEL_AGAIN_SECONDS:
            self._cancelled[facts.session_id] = asyncio.get_running_loop().time()
            self._keep(asyncio.ensure_future(self.cancel(facts)))

    def last_words(self, session: Session) -> tuple[str, str]:
        """What the log of a job says whose agent never spoke, or that there is none."""
        directory = self.store.directory(session.session_id)
        of_job = self.log_directory(session.session_id) / "agent.log"
        return last_words(of_job, directory, self.site.agent_command, session.node)

    async def settle(self) -> None:
        """Wait until no background work is left."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    async def close(self) -> None:
        """End background work. Jobs go on."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)

    def log_directory(self, session_id: str) -> Path:
        """Where the session's logs are; made if need be."""
        if not self.site.logs_dir:
            return self.store.directory(session_id)
        own = private_directory(Path(self.site.logs_dir) / self.store.own_name, parents=True)
        return private_directory(own / session_id)

    async def finish_soon(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Wait for ``work`` as long as a user waits; None if it goes on behind."""
        task = asyncio.ensure_future(work)
        self._keep(task)
        await asyncio.wait({task}, timeout=self.site.answer_seconds)
        return task.result() if task.done() else None

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def sunshine_options(
    site: MoonlightSite, facts: Facts, turn: TurnCredentials | None = None
) -> SunshineOptions:
    """The site's settings for Sunshine, with TURN credentials that end with the session."""
    options = SunshineOptions(
        command=list(site.sunshine_command),
        web_command=list(site.moonlight_web_command),
        web_directory=site.moonlight_web_directory or None,
        native_clients=site.native_clients,
        webrtc=site.webrtc,
        stun_uris=list(site.stun_uris),
    )
    if not site.webrtc:
        return options
    if turn := turn or made_for(site, facts.session_id, lasting(facts.request)):
        options.turn_uris = list(site.turn_uris)
        options.take(turn)
    return options


def idle_options(site: MoonlightSite) -> IdleOptions:
    """The site's settings of what is done with a desktop that nobody uses."""
    return IdleOptions(
        minutes=site.idle_minutes,
        warning_minutes=site.idle_warning_minutes,
        watching_minutes=site.idle_watching_minutes,
        cpu_percent=site.idle_cpu_percent,
        gpu_percent=site.idle_gpu_percent,
        ends_busy=site.idle_ends_busy,
    )


def new_token() -> str:
    """A session's secret, 256 bits. It begins with a letter: Open OnDemand's job script writes it into
    YAML without quotes, where a word of another look is a number, a date or a list."""
    return "t" + secrets.token_urlsafe(32)
