"""What a user sees, made of the records, the batch system's answer and the agent's status.

One pure function: every rule about states is here, and nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..model.job import JobInfo, JobState
from ..model.records import END_RESERVE, AgentStatus, Facts, Job, Stop
from ..model.session import End, Queue, Session, StaleCode, State, Step, Way
from ..scheduler.base import Snapshot, name_of

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

_AGENT_PHASES = {"running": State.RUNNING, "stopping": State.STOPPING}
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


def derive(
    facts: Facts,
    job: Job | None,
    stop: Stop | None,
    end: End | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    agent: AgentStatus | None,
    moment: datetime,
    since: Since = Since(),
) -> Session:
    """The session at ``moment``. ``info`` is the last that is known of its job, from whenever.

    If the result has ended and ``end`` is None, the caller records the end: it is final.
    """
    session = Session(
        session_id=facts.session_id,
        user=facts.user,
        image_id=facts.image_id,
        image_name=facts.image_name,
        status=State.PENDING,
        host=facts.host,
        request=facts.request,
        scheduler=facts.scheduler,
        slurm_job_id=job.job_id if job and facts.scheduler == "slurm" else None,
        door=facts.door,
        way=facts.way,
        allocation=facts.allocation,
        created_at=facts.created_at,
        stale_since=snapshot.stale_since,
        stale_reason=snapshot.stale_reason,
        stale_code=_stale_code(snapshot),
    )
    speaks = facts.way is Way.GUEST and agent is not None and heard_of(agent, moment)
    if speaks:  # no job of the batch system's: what its agent says is all that there is to know
        session.stale_since = session.stale_reason = session.stale_code = None
    elif job and (doubt := snapshot.doubts.get(job.job_id)) and session.stale_since is None:
        session.stale_since, session.stale_reason = doubt.since, doubt.reason
        session.stale_code = StaleCode.SCHEDULER_UNCLEAR
    if facts.allocation:
        session.node = facts.allocation.node
        session.ends_at = facts.allocation.ends_at and facts.allocation.ends_at - END_RESERVE
    if info:
        session.node = info.node or session.node
        if info.ends_at:
            session.ends_at = info.ends_at - END_RESERVE
        if facts.way is Way.JOB:  # else the job has been there before
            session.started_at = info.started_at
    if agent:
        _take_from_agent(session, agent)
    end = end or _end(facts, job, stop, info, snapshot, agent, moment, since)
    if end:
        session.status, session.reason, session.reason_code = end.state, end.reason, end.code
        session.ended_at, session.ends_at = end.ended_at, None
        session.stale_since = session.stale_reason = session.stale_code = None
        session.queue = session.gateway = None
        return session
    _live(session, job, stop, info, agent, moment, since)
    return session


def _take_from_agent(session: Session, agent: AgentStatus) -> None:
    session.steps = agent.steps
    session.node = agent.node or session.node
    session.display_num, session.sunshine_port = agent.display_num, agent.sunshine_port
    session.encoder, session.gl_renderer = agent.encoder, agent.gl_renderer
    session.audio, session.clipboard, session.files = agent.audio, agent.clipboard, agent.files
    session.notes = agent.notes
    session.gateway = agent.gateway
    session.started_at = session.started_at or agent.started_at
    if agent.ends_at:  # it knows best: it ends it
        session.ends_at = agent.ends_at
    elif session.ends_at is None and session.allocation is None:
        session.ends_at = session.started_at + timedelta(minutes=session.request.minutes)


def _live(
    session: Session,
    job: Job | None,
    stop: Stop | None,
    info: JobInfo | None,
    agent: AgentStatus | None,
    moment: datetime,
    since: Since,
) -> None:
    if agent:
        session.status = _AGENT_PHASES.get(agent.phase, State.STARTING)
        if agent.phase == "starting":
            step = _current(agent.steps)
            session.reason, session.reason_code = (step.label, step.id) if step else ("", "")
        elif info and info.state is JobState.RUNNING and info.message:  # it is suspended
            session.reason, session.reason_code = info.message, info.code
            session.notes = [*session.notes, info.message]
        silent = (moment - agent.beat).total_seconds()
        if silent > SILENCE_SECONDS and session.stale_since is None:
            session.stale_since = agent.beat
            session.stale_reason = f"Node {session.node} has reported nothing for {silent:.0f} s."
            session.stale_code = StaleCode.NODE_SILENT
    elif session.way is not Way.JOB or (info and info.state is not JobState.PENDING):
        session.status = State.STARTING
        session.reason, session.reason_code = "The node is preparing the job.", "NodePrepares"
        if info and info.state is JobState.RUNNING and info.message:
            session.reason, session.reason_code = info.message, info.code
    else:
        session.queue = _queue(job, info)
        session.reason, session.reason_code = session.queue.message, session.queue.code
    if info and info.state.ended and session.stale_since is None:
        _not_believed(session, info, agent, since.said or moment)
    if stop or (info and info.state is JobState.ENDING):
        session.status, session.queue = State.STOPPING, None
        session.reason, session.reason_code = "The desktop is being ended.", "Stopping"


def _not_believed(
    session: Session, info: JobInfo, agent: AgentStatus | None, since: datetime
) -> None:
    """The batch system says that the job has ended, and that is not certain yet."""
    says = f"The batch system says that the job has ended ({info.code or info.state.name})"
    session.stale_since = since
    session.stale_code = StaleCode.SCHEDULER_UNCLEAR
    session.stale_reason = f"{says}; it is asked again."
    if agent:
        session.stale_reason = (
            f"{says}, but its desktop has reported within the last {SILENCE_SECONDS} s."
        )


def _queue(job: Job | None, info: JobInfo | None) -> Queue:
    if job is None:
        return Queue(
            code="SubmitUnconfirmed",
            message="Slurm has not confirmed the job yet. It is looked for; nothing is lost.",
        )
    if info is None:
        return Queue(code="Submitting", message="The job was handed to the batch system.")
    return Queue(
        code=info.code or "None",
        message=info.message,
        position=info.position,
        at_least=info.at_least,
        pending=info.pending,
        estimated_start=info.estimated_start,
    )


def _end(
    facts: Facts,
    job: Job | None,
    stop: Stop | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    agent: AgentStatus | None,
    moment: datetime,
    since: Since,
) -> End | None:
    """How the session has ended, None if that is not certain.

    What is found here is final. So nothing ends a session whose agent has spoken a moment ago but its
    own word, and nothing that is in doubt, or that has been said once and may pass.
    """
    unlisted = job is not None and job.job_id in snapshot.unlisted
    said = agent.end if agent else None
    if facts.way is Way.GUEST:
        return said or _end_of_guest(facts, job, stop, info, snapshot, agent, moment, since)
    if said and unlisted and said.code == "CancelledOutside":
        return _lost(stop, agent, said.ended_at)
    if said and not (info and info.state in _SCHEDULER_KNOWS):
        return said
    certain = info is not None and info.state.ended and info.certain
    if said is None and agent and heard_of(agent, moment) and not certain:
        return None
    if snapshot.elsewhere:
        return _end_elsewhere(facts, stop, agent, moment)
    if job and job.job_id in snapshot.doubts:
        return None
    if info and info.state.ended:
        # Nobody on the node contradicts it, but where no agent ever spoke that says nothing.
        said_again = (
            job and job.job_id in snapshot.jobs and _for(CONFIRM_SECONDS, since.said, moment)
        )
        if info.passing and agent is None and not said_again:
            return None
        return _end_of_job(facts, info, stop, said, moment)
    if job is None or not snapshot.complete:
        return None
    if unlisted:
        heard = agent.beat if agent else job.submitted_at
        silent = _for(SILENCE_SECONDS if stop else LOST_SECONDS, heard, moment)
        missing = _for(CONFIRM_SECONDS, since.missing, moment)
        return _lost(stop, agent, moment) if silent and missing else None
    if job.job_id in snapshot.jobs:
        return None
    # Slurm and its accounting answered and know nothing of the job (any more).
    if not _for(APPEAR_SECONDS, job.submitted_at, moment):
        return None
    if not _for(CONFIRM_SECONDS, since.missing, moment):
        return None
    if stop:
        return _stopped(moment)
    return End(
        state=State.FAILED,
        code="JobUnknown",
        reason=f"The batch system knows nothing of job {job.job_id} any more.",
        ended_at=moment,
    )


def _end_of_guest(
    facts: Facts,
    job: Job | None,
    stop: Stop | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    agent: AgentStatus | None,
    moment: datetime,
    since: Since,
) -> End | None:
    """The desktop ends with its job at the latest; a job that goes on says nothing about it."""
    if job and job.job_id in snapshot.doubts:
        return None
    gone = info is not None and info.state.ended and _for(LAST_BEATS_SECONDS, since.said, moment)
    if agent and heard_of(agent, moment) and not (gone and since.said and agent.beat < since.said):
        return None
    heard = agent.beat if agent else facts.created_at
    silent = (moment - heard).total_seconds()
    if stop and silent > SILENCE_SECONDS:
        return _stopped(moment)
    if _job_is_over(facts, job, info, snapshot, moment, since):
        if stop:
            return _stopped(moment)
        if info and info.state in _SCHEDULER_KNOWS:
            return _end_of_job(facts, info, None, None, moment)
        return End(
            state=State.COMPLETED,
            code="JobEnded",
            reason="The job that the desktop ran in ended.",
            ended_at=(info.ended_at if info else None) or moment,
        )
    asked = snapshot.stale_since is None and not (info and info.code == "Suspended")
    if silent > (GUEST_SILENCE_SECONDS if asked else GUEST_UNKNOWN_SECONDS):
        return End(
            state=State.FAILED,
            code=SILENT,
            reason=f"The desktop has reported nothing since {heard:%H:%M} UTC; the job that it ran in "
            "goes on without it. Start it again.",
            ended_at=moment,
        )
    return None


def _job_is_over(
    facts: Facts,
    job: Job | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    moment: datetime,
    since: Since,
) -> bool:
    """Whether the job of a guest has ended: by the batch system, or by its time where nobody tells."""
    if info and info.state.ended:
        return True
    known = job is None or (job.job_id in snapshot.jobs and job.job_id not in snapshot.unlisted)
    if job and not known and snapshot.complete:
        return _for(APPEAR_SECONDS, job.submitted_at, moment) and _for(
            CONFIRM_SECONDS, since.missing, moment
        )
    limit = facts.allocation.ends_at if facts.allocation else None
    return info is None and _for(SILENCE_SECONDS, limit, moment)


def heard_of(agent: AgentStatus, moment: datetime) -> bool:
    """Whether the agent has written a moment ago. A time far in the future is no beat."""
    return abs((moment - agent.beat).total_seconds()) <= SILENCE_SECONDS


def _for(seconds: float, since: datetime | None, moment: datetime) -> bool:
    return since is not None and (moment - since).total_seconds() >= seconds


def _stopped(moment: datetime) -> End:
    return End(
        state=State.CANCELLED, code="StoppedByUser", reason="You stopped it.", ended_at=moment
    )


def _lost(stop: Stop | None, agent: AgentStatus | None, moment: datetime) -> End:
    """The controller has forgotten the job, and ended what was left of it on its node."""
    if stop:
        return _stopped(moment)
    heard = (
        f"node {agent.node} last reported at {agent.beat:%H:%M} UTC" if agent else "no node has it"
    )
    return End(
        state=State.FAILED,
        code="JobLost",
        reason=f"Slurm has lost the job: its controller does not know it any more, and {heard}. Only the "
        "accounting still takes it for running; an administrator can clear that "
        "(sacctmgr show runawayjobs).",
        ended_at=moment,
    )


def not_from_here(facts: Facts, agent: AgentStatus | None, here: str = "") -> Snapshot:
    """What is known of a job of another machine or cluster: that it cannot be asked for here.

    ``here`` is the place of this one: two machines may have one name.
    """
    where = name_of(facts.place) or (agent.node if agent else None) or "another machine"
    what = "Slurm cluster" if facts.scheduler == "slurm" else "machine"
    if facts.scheduler == "local" and where == name_of(here):
        where += " (another machine or container of that name)"
    return Snapshot(
        complete=False,
        stale_since=agent.beat if agent else facts.created_at,
        stale_reason=f"It was started on {what} {where}, which cannot be asked from here. What the "
        "desktop itself reports is shown.",
        elsewhere=True,
    )


def _end_elsewhere(
    facts: Facts, stop: Stop | None, agent: AgentStatus | None, moment: datetime
) -> End | None:
    """Nobody tells the end of a job that cannot be asked for: silence does, in time."""

    def long_ago(since: datetime) -> bool:
        return (moment - since).total_seconds() > SILENCE_SECONDS

    if agent and not long_ago(agent.beat):
        return None
    if stop and long_ago(stop.requested_at):
        return _stopped(moment)
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


def _stale_code(snapshot: Snapshot) -> StaleCode | None:
    if snapshot.stale_since is None:
        return None
    return StaleCode.STARTED_ELSEWHERE if snapshot.elsewhere else snapshot.stale_code


def _end_of_job(
    facts: Facts, info: JobInfo, stop: Stop | None, said: End | None, moment: datetime
) -> End:
    state = _JOB_ENDS[info.state]
    reason, code = info.message, info.code or info.state.name
    if info.state is JobState.CANCELLED or (stop and info.state is JobState.COMPLETED):
        state = State.CANCELLED
        if stop:
            code, reason = "StoppedByUser", "You stopped it."
        else:
            code = "CancelledOutside"
            reason = "The job was ended from outside (scancel or an administrator)."
    elif info.state is JobState.TIMEOUT:
        if said and said.state is State.TIMEOUT:
            return said
        if (
            code == JobState.TIMEOUT.name
        ):  # and not a deadline of the site's, which has words of its own
            code, reason = "TimeLimit", _time_is_up(facts)
    if state is State.FAILED and not reason:
        reason = "The job failed on its node before the desktop could report why. Look at its log."
    return End(
        state=state,
        code=code,
        reason=reason or "The job ended.",
        ended_at=info.ended_at or moment,
    )


def _time_is_up(facts: Facts) -> str:
    return f"The session reached its time limit of {facts.request.hours:g} h."


def _current(steps: list[Step]) -> Step | None:
    running = [s for s in steps if s.state.value in ("running", "failed")]
    return running[-1] if running else None
