"""What a user sees, made of the records, the batch system's answer and the agent's status.

One pure function: the rules about states are here, those about ends in :mod:`.ends`, and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from ..model.job import JobInfo, JobState
from ..model.records import END_RESERVE, AgentStatus, Facts, Job, Stop
from ..model.sentences import Said
from ..model.session import End, Queue, Session, StaleCode, State, Step, Way
from ..scheduler.base import Snapshot, name_of
from .ends import NOT_SEEN, SILENCE_SECONDS, Evidence, Since, end_of, heard_of

_AGENT_PHASES = {"running": State.RUNNING, "stopping": State.STOPPING}


def derive(
    facts: Facts,
    job: Job | None,
    stop: Stop | None,
    end: End | None,
    info: JobInfo | None,
    snapshot: Snapshot,
    agent: AgentStatus | None,
    moment: datetime,
    since: Since = NOT_SEEN,
) -> Session:
    """The session at ``moment``. ``info`` is the last that is known of its job, from whenever.

    If the result has ended and ``end`` is None, the caller records the end: it is final.
    """
    session = facts.session(
        job.job_id if job else None,
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
        agent.put_into(session)
    end = end or end_of(Evidence(facts, job, stop, info, snapshot, agent, moment, since))
    if end:
        session.take(end)
        session.stale_since = session.stale_reason = session.stale_code = None
        session.queue = session.gateway = None
        return session
    _live(session, job, stop, info, agent, moment, since)
    return session


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
            session.notes = [*session.notes, Said(info.message, info.code)]
        silent = (moment - agent.beat).total_seconds()
        if silent > SILENCE_SECONDS and session.stale_since is None:
            session.stale_since = agent.beat
            # No count of the seconds: a session that does not change is not told again.
            session.stale_reason = (
                f"Node {session.node} has reported nothing for more than {SILENCE_SECONDS} s."
            )
            session.stale_code = StaleCode.NODE_SILENT
    elif session.way is not Way.JOB or (info and info.state is not JobState.PENDING):
        session.status = State.STARTING
        session.reason, session.reason_code = "The node is preparing the job.", "NodePrepares"
        if info and info.state is JobState.RUNNING and info.message:
            session.reason, session.reason_code = info.message, info.code
    else:
        begin = session.request.begin
        session.queue = _queue(
            session.scheduler, job, info, begin if begin and begin > moment else None
        )
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


def _queue(scheduler: str, job: Job | None, info: JobInfo | None, begin: datetime | None) -> Queue:
    """``begin``: its user wants it to begin then."""
    if scheduler == "local" and (job is None or info is None):  # no batch system is at work
        if job is None:
            return Queue(
                code="RunnerUnconfirmed",
                message="Whether this machine has begun with it is not known yet. It is looked for; "
                "nothing is lost.",
            )
        return Queue(code="RunnerBegins", message="This machine begins with it.")
    if job is None:
        return Queue(
            code="SubmitUnconfirmed",
            message="Slurm has not confirmed the job yet. It is looked for; nothing is lost.",
        )
    if info is None:
        return Queue(code="Submitting", message="The job was handed to the batch system.")
    if begin and info.code == "BeginTime":
        return Queue(
            code="BeginAsked",
            message="It waits for the time that you asked for.",
            estimated_start=begin,
        )
    return Queue(
        code=info.code or "None",
        message=info.message,
        position=info.position,
        at_least=info.at_least,
        pending=info.pending,
        estimated_start=info.estimated_start,
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


def _stale_code(snapshot: Snapshot) -> StaleCode | None:
    if snapshot.stale_since is None:
        return None
    return StaleCode.STARTED_ELSEWHERE if snapshot.elsewhere else snapshot.stale_code


def _current(steps: list[Step]) -> Step | None:
    running = [s for s in steps if s.state.value in ("running", "failed")]
    return running[-1] if running else None
