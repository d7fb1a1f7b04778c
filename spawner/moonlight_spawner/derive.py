"""What a user sees, made of the records, the batch system's answer and the agent's status.

One pure function: every rule about states is here, and nothing else is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from .records import AgentStatus, Facts, Job, Stop
from .scheduler.base import JobInfo, JobState, Snapshot
from .session import End, Queue, Session, StaleCode, State, Step

# A job may be missing in squeue and sacct for some seconds after its submission (measured).
APPEAR_SECONDS = 60
# The agent writes every 15 s.
SILENCE_SECONDS = 90

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


def derive(
    facts: Facts,
    job: Job | None,
    stop: Stop | None,
    end: End | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    agent: AgentStatus | None,
    moment: datetime,
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
        created_at=facts.created_at,
        stale_since=snapshot.stale_since,
        stale_reason=snapshot.stale_reason,
        stale_code=_stale_code(snapshot),
    )
    if info:
        session.node, session.started_at, session.ends_at = info.node, info.started_at, info.ends_at
    if agent:
        _take_from_agent(session, agent)
    end = end or _end(facts, job, stop, info, snapshot, agent, moment)
    if end:
        session.status, session.reason, session.reason_code = end.state, end.reason, end.code
        session.ended_at, session.ends_at = end.ended_at, None
        session.stale_since = session.stale_reason = session.stale_code = None
        session.queue = session.gateway = None
        return session
    _live(session, job, stop, info, agent, moment)
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
    if session.ends_at is None:
        session.ends_at = session.started_at + timedelta(minutes=session.request.minutes)


def _live(
    session: Session,
    job: Job | None,
    stop: Stop | None,
    info: JobInfo | None,
    agent: AgentStatus | None,
    moment: datetime,
) -> None:
    if agent:
        session.status = _AGENT_PHASES.get(agent.phase, State.STARTING)
        if agent.phase == "starting":
            step = _current(agent.steps)
            session.reason, session.reason_code = (step.label, step.id) if step else ("", "")
        silent = (moment - agent.beat).total_seconds()
        if silent > SILENCE_SECONDS and session.stale_since is None:
            session.stale_since = agent.beat
            session.stale_reason = f"Node {session.node} has reported nothing for {silent:.0f} s."
            session.stale_code = StaleCode.NODE_SILENT
    elif info and info.state is not JobState.PENDING:
        session.status = State.STARTING
        session.reason, session.reason_code = "The node is preparing the job.", "NodePrepares"
    else:
        session.queue = _queue(job, info)
        session.reason, session.reason_code = session.queue.message, session.queue.code
    if stop or (info and info.state is JobState.ENDING):
        session.status, session.queue = State.STOPPING, None
        session.reason, session.reason_code = "The desktop is being ended.", "Stopping"


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
) -> End | None:
    said = agent.end if agent else None
    if said and not (info and info.state in _SCHEDULER_KNOWS):
        return said
    if snapshot.elsewhere:
        return _end_elsewhere(facts, stop, agent, moment)
    if info and info.state.ended:
        return _end_of_job(info, stop, said, moment)
    if job is None or job.job_id in snapshot.jobs or not snapshot.complete:
        return None
    # Slurm and its accounting answered and know nothing of the job (any more).
    if (moment - job.submitted_at).total_seconds() < APPEAR_SECONDS:
        return None
    if stop:
        return End(
            state=State.CANCELLED, code="StoppedByUser", reason="You stopped it.", ended_at=moment
        )
    return End(
        state=State.FAILED,
        code="JobUnknown",
        reason=f"The batch system knows nothing of job {job.job_id} any more.",
        ended_at=moment,
    )


def not_from_here(facts: Facts, agent: AgentStatus | None) -> Snapshot:
    """What is known of a job of another machine or cluster: that it cannot be asked for here."""
    where = facts.place or (agent.node if agent else None) or "another machine"
    what = "Slurm cluster" if facts.scheduler == "slurm" else "machine"
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
        return End(
            state=State.CANCELLED,
            code="StoppedByUser",
            reason="You stopped it.",
            ended_at=moment,
        )
    length = timedelta(minutes=facts.request.minutes)
    if agent and long_ago(agent.started_at + length):
        return End(
            state=State.TIMEOUT,
            code="TimeLimit",
            reason=f"The session reached its time limit of {facts.request.hours:g} h.",
            ended_at=agent.started_at + length,
        )
    return None


def _stale_code(snapshot: Snapshot) -> StaleCode | None:
    if snapshot.stale_since is None:
        return None
    return StaleCode.STARTED_ELSEWHERE if snapshot.elsewhere else StaleCode.SCHEDULER_AWAY


def _end_of_job(info: JobInfo, stop: Stop | None, said: End | None, moment: datetime) -> End:
    state = _JOB_ENDS[info.state]
    reason, code = info.message, info.code or info.state.name
    if info.state is JobState.CANCELLED or (stop and info.state is JobState.COMPLETED):
        state = State.CANCELLED
        if stop:
            code, reason = "StoppedByUser", "You stopped it."
        else:
            code = "CancelledOutside"
            reason = "The job was ended from outside (scancel or an administrator)."
    elif info.state is JobState.TIMEOUT and said and said.state is State.TIMEOUT:
        return said
    if state is State.FAILED and not reason:
        reason = "The job failed on its node before the desktop could report why. Look at its log."
    return End(
        state=state,
        code=code,
        reason=reason or "The job ended.",
        ended_at=info.ended_at or moment,
    )


def _current(steps: list[Step]) -> Step | None:
    running = [s for s in steps if s.state.value in ("running", "failed")]
    return running[-1] if running else None
