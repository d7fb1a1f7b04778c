"""How a session has ended, found from all that is known of it: the rules, and nothing else.

What is found here is final. So every rule asks whether somebody could still say otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..model.job import JobInfo, JobState
from ..model.records import AgentStatus, Facts, Job, Stop, ended_outside
from ..model.session import End, State, Way
from ..scheduler.base import Snapshot

# A job may be missing in squeue and sacct for some seconds after its submission (measured).
APPEAR_SECONDS = 60
# The agent writes every 15 s.
SILENCE_SECONDS = 90
# An end that the batch system alone tells, and that jobs have come back from, is believed when it
# still says so after this.
CONFIRM_SECONDS = 10
# A job that only the accounting takes for alive, of which neither the controller nor the node has said
# a word for this long, is one that nobody has (a runaway job).
LOST_SECONDS = 300
# After this a desktop in a job that goes on without it is taken for ended; after a day where nobody
# can be asked about the job.
GUEST_SILENCE_SECONDS, GUEST_UNKNOWN_SECONDS = 600, 86400

# Two beats: who has written nothing since the batch system began to say that the job has ended is
# gone with it. A guest is killed with its job, and has no last word.
LAST_BEATS_SECONDS = 35

SILENT = "DesktopSilent"

_JOB_ENDS = {
    JobState.COMPLETED: State.COMPLETED,
    JobState.FAILED: State.FAILED,
    JobState.CANCELLED: State.CANCELLED,
    JobState.TIMEOUT: State.TIMEOUT,
    JobState.NODE_FAIL: State.FAILED,
    JobState.PREEMPTED: State.FAILED,
    JobState.OUT_OF_MEMORY: State.FAILED,
}
# What only the batch system can know, whatever the agent could still say.
_SCHEDULER_KNOWS = {
    JobState.TIMEOUT,
    JobState.NODE_FAIL,
    JobState.PREEMPTED,
    JobState.OUT_OF_MEMORY,
}


@dataclass(frozen=True)
class Since:
    """Since when the batch system has been saying what it says now: ``said`` of a job that it knows,
    ``missing`` of one that it does not know. None if it has not been seen before."""

    said: datetime | None = None
    missing: datetime | None = None


NOT_SEEN = Since()


@dataclass(frozen=True)
class Evidence:
    """All that is known of a session at ``moment``; ``info`` is the last of its job, from whenever."""

    facts: Facts
    job: Job | None
    stop: Stop | None
    info: JobInfo | None
    snapshot: Snapshot
    agent: AgentStatus | None
    moment: datetime
    since: Since = NOT_SEEN

    def lasts(self, seconds: float, since: datetime | None) -> bool:
        """Whether what began at ``since`` has gone on for so long."""
        return since is not None and (self.moment - since).total_seconds() >= seconds

    @property
    def doubtful(self) -> bool:
        """Whether the batch system's answer says nothing certain of this job."""
        return self.job is not None and self.job.job_id in self.snapshot.doubts

    @property
    def heard(self) -> bool:
        return self.agent is not None and heard_of(self.agent, self.moment)


def end_of(e: Evidence) -> End | None:
    """How the session has ended, None if that is not certain.

    Nothing ends a session whose agent has spoken a moment ago but its own word, and nothing that is in
    doubt, or that has been said once and may pass.
    """
    said = e.agent.end if e.agent else None
    if e.facts.way is Way.GUEST:
        return said or _end_of_guest(e)
    info, job = e.info, e.job
    unlisted = job is not None and job.job_id in e.snapshot.unlisted
    if said and unlisted and said.code == "CancelledOutside":
        return _lost(e, said.ended_at)
    if said and not (info and info.state in _SCHEDULER_KNOWS):
        return said
    certain = info is not None and info.state.ended and info.certain
    if said is None and e.heard and not certain:
        return None
    if e.snapshot.elsewhere:
        return _end_elsewhere(e)
    if e.doubtful:
        return None
    if info and info.state.ended:
        # Nobody on the node contradicts it, but where no agent ever spoke that says nothing.
        listed = job is not None and job.job_id in e.snapshot.jobs
        said_again = listed and e.lasts(CONFIRM_SECONDS, e.since.said)
        if info.passing and e.agent is None and not said_again:
            return None
        # Killed while it ended its parts: why is on record.
        said = said or (e.agent.ending if e.agent else None)
        if said and info.state not in _SCHEDULER_KNOWS:
            return said
        return _end_of_job(e, info, said)
    if job is None or not e.snapshot.complete:
        return None
    if unlisted:
        heard = e.agent.beat if e.agent else job.submitted_at
        silent = e.lasts(SILENCE_SECONDS if e.stop else LOST_SECONDS, heard)
        return _lost(e, e.moment) if silent and e.lasts(CONFIRM_SECONDS, e.since.missing) else None
    if job.job_id in e.snapshot.jobs or not _unknown_for_long(e, job):
        return None
    if e.stop:
        return e.stop.end(e.moment)
    return End(
        state=State.FAILED,
        code="JobUnknown",
        reason=f"The batch system knows nothing of job {job.job_id} any more.",
        ended_at=e.moment,
    )


def _unknown_for_long(e: Evidence, job: Job) -> bool:
    """Whether Slurm and its accounting answered and know nothing of the job (any more)."""
    appeared = e.lasts(APPEAR_SECONDS, job.submitted_at)
    return appeared and e.lasts(CONFIRM_SECONDS, e.since.missing)


def _end_of_guest(e: Evidence) -> End | None:
    """The desktop ends with its job at the latest; a job that goes on says nothing about it."""
    if e.doubtful:
        return None
    info, agent, said = e.info, e.agent, e.since.said
    gone = info is not None and info.state.ended and e.lasts(LAST_BEATS_SECONDS, said)
    if agent and e.heard and not (gone and said and agent.beat < said):
        return None
    heard = agent.beat if agent else e.facts.created_at
    silent = (e.moment - heard).total_seconds()
    if e.stop and silent > SILENCE_SECONDS:
        return e.stop.end(e.moment)
    if _job_is_over(e):
        if e.stop:
            return e.stop.end(e.moment)
        if info and info.state in _SCHEDULER_KNOWS:
            return _end_of_job(e, info, None)
        return End(
            state=State.COMPLETED,
            code="JobEnded",
            reason="The job that the desktop ran in ended.",
            ended_at=(info.ended_at if info else None) or e.moment,
        )
    asked = e.snapshot.stale_since is None and not (info and info.code == "Suspended")
    if silent > (GUEST_SILENCE_SECONDS if asked else GUEST_UNKNOWN_SECONDS):
        return End(
            state=State.FAILED,
            code=SILENT,
            reason=f"The desktop has reported nothing since {heard:%H:%M} UTC; the job that it ran in "
            "goes on without it. Start it again.",
            ended_at=e.moment,
        )
    return None


def _job_is_over(e: Evidence) -> bool:
    """Whether the job of a guest has ended: by the batch system, or by its time where nobody tells."""
    info, job, snapshot = e.info, e.job, e.snapshot
    if info and info.state.ended:
        return True
    known = job is None or (job.job_id in snapshot.jobs and job.job_id not in snapshot.unlisted)
    if job and not known and snapshot.complete:
        return _unknown_for_long(e, job)
    limit = e.facts.allocation.ends_at if e.facts.allocation else None
    return info is None and e.lasts(SILENCE_SECONDS, limit)


def heard_of(agent: AgentStatus, moment: datetime) -> bool:
    """Whether the agent has written a moment ago. A time far in the future is no beat."""
    return abs((moment - agent.beat).total_seconds()) <= SILENCE_SECONDS


def _lost(e: Evidence, moment: datetime) -> End:
    """The controller has forgotten the job, and ended what was left of it on its node."""
    if e.stop:
        return e.stop.end(moment)
    heard = "no node has it"
    if e.agent:
        heard = f"node {e.agent.node} last reported at {e.agent.beat:%H:%M} UTC"
    return End(
        state=State.FAILED,
        code="JobLost",
        reason=f"Slurm has lost the job: its controller does not know it any more, and {heard}. Only the "
        "accounting still takes it for running; an administrator can clear that "
        "(sacctmgr show runawayjobs).",
        ended_at=moment,
    )


def _end_elsewhere(e: Evidence) -> End | None:
    """Nobody tells the end of a job that cannot be asked for: silence does, in time."""

    def long_ago(since: datetime) -> bool:
        return (e.moment - since).total_seconds() > SILENCE_SECONDS

    facts, agent = e.facts, e.agent
    if agent and not long_ago(agent.beat):
        return None
    if e.stop and long_ago(e.stop.requested_at):
        return e.stop.end(e.moment)
    length = timedelta(minutes=facts.request.minutes)
    if facts.allocation and not facts.allocation.ends_at:
        return None
    if agent and long_ago(agent.started_at + length):
        return End(
            state=State.TIMEOUT,
            code="TimeLimit",
            reason=_time_is_up(facts),
            ended_at=agent.started_at + length,
        )
    return None


def _end_of_job(e: Evidence, info: JobInfo, said: End | None) -> End:
    state = _JOB_ENDS[info.state]
    reason, code = info.message, info.code or info.state.name
    if info.state is JobState.CANCELLED or (e.stop and info.state is JobState.COMPLETED):
        if e.stop:
            return e.stop.end(info.ended_at or e.moment)
        outside = ended_outside(e.facts.scheduler)
        state, code, reason = State.CANCELLED, outside.code, str(outside)
    elif info.state is JobState.TIMEOUT:
        if said and said.state is State.TIMEOUT:
            return said
        if (
            code == JobState.TIMEOUT.name
        ):  # not a deadline of the site's, which has words of its own
            code, reason = "TimeLimit", _time_is_up(e.facts)
    if state is State.FAILED and not reason:
        reason = "The job failed on its node before the desktop could report why. Look at its log."
    return End(
        state=state,
        code=code,
        reason=reason or "The job ended.",
        ended_at=info.ended_at or e.moment,
    )


def _time_is_up(facts: Facts) -> str:
    return f"The session reached its time limit of {facts.request.hours:g} h."
