"""The rules about states: what a user sees, from all that is known of a session."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

import pytest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.records import END_RESERVE, AgentStatus, Facts, Job, Stop, StopReason
from moonlight_spawner.model.session import (
    Allocation,
    End,
    Gateway,
    Resources,
    Session,
    StaleCode,
    State,
    Step,
    StepState,
    Way,
)
from moonlight_spawner.scheduler.base import Doubt, Snapshot
from moonlight_spawner.scheduler.slurm_words import STATES
from moonlight_spawner.scheduler.slurm_words import ended as said_of
from moonlight_spawner.sessions.derive import derive
from moonlight_spawner.sessions.ends import (
    APPEAR_SECONDS,
    CONFIRM_SECONDS,
    LOST_SECONDS,
    SILENCE_SECONDS,
    Since,
)

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=timezone.utc)
GATEWAY = Gateway(hosts=["n1"], port=40000, certificate="PEM")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@dataclass(frozen=True)
class Known:
    """All that `derive` is told, with a job that was submitted ten seconds ago."""

    job: Job | None = field(default_factory=lambda: Job(job_id="7", submitted_at=ago(10)))
    stop: Stop | None = None
    end: End | None = None
    info: JobInfo | None = None
    snapshot: Snapshot | None = None
    agent: AgentStatus | None = None
    scheduler: str = "slurm"
    since: Since = field(default_factory=Since)
    way: Way = Way.JOB
    allocation: Allocation | None = None

    def session(self) -> Session:
        resources = Resources(
            image="desktop", hours=2, cpus=4, memory_gb=8, gpus=1, resolution="1920x1080", fps=60
        )
        facts = Facts(
            session_id="ml-alice-abcdefghij",
            user="alice",
            image_id="desktop",
            image_name="XFCE desktop",
            host="selkies",
            scheduler=self.scheduler,
            way=self.way,
            allocation=self.allocation,
            request=resources,
            created_at=ago(20),
        )
        jobs = {self.info.job_id: self.info} if self.info else {}
        snapshot = self.snapshot or Snapshot(jobs)
        known = (self.job, self.stop, self.end, self.info, snapshot, self.agent)
        return derive(facts, *known, NOW, self.since)


def info(state: JobState, **more: object) -> JobInfo:
    return JobInfo(job_id="7", state=state, **more)


def agent(phase: str, **more: object) -> AgentStatus:
    known = {"node": "n1", "started_at": ago(5), "beat": ago(1), **more}
    return AgentStatus(phase=phase, **known)


STOP = Stop(requested_at=ago(1))
WAITS = info(
    JobState.PENDING, code="Priority", message="Others are ahead.", position=3, pending=9,
    estimated_start=ago(-60),
)  # fmt: skip
RUNS = info(JobState.RUNNING, node="n1", started_at=ago(6), ends_at=ago(-7194))
ENDS = info(JobState.ENDING, node="n1", started_at=ago(6))
STARTING = agent(
    "starting",
    steps=[
        Step(id="claim", label="Claim a display", state=StepState.DONE),
        Step(id="xserver", label="Start the X server", state=StepState.RUNNING),
        Step(id="desktop", label="Start the desktop"),
    ],
)
RUNNING = agent("running", gateway=GATEWAY, display_num=12, sunshine_port=48026)
SILENT = RUNNING.model_copy(update={"beat": ago(SILENCE_SECONDS + 1)})
LOGGED_OUT = End(state=State.COMPLETED, code="LoggedOut", reason="Bye.", ended_at=ago(2))
CRASHED = End(state=State.FAILED, code="XServerEnded", reason="X ended.", ended_at=ago(2))
TOLD_LIMIT = End(state=State.TIMEOUT, code="TimeLimit", reason="2 h are over.", ended_at=ago(2))
TOLD_OUTSIDE = End(state=State.CANCELLED, code="CancelledOutside", reason="x", ended_at=ago(2))


OLD = Job(job_id="7", submitted_at=ago(APPEAR_SECONDS))
GONE = Since(missing=ago(CONFIRM_SECONDS))


def ended(end: End) -> AgentStatus:
    return agent("ended", end=end)


LIVE = {
    "handed over": (Known(), State.PENDING, "Submitting"),
    "unconfirmed": (Known(job=None), State.PENDING, "SubmitUnconfirmed"),
    "begun on this machine": (Known(scheduler="local"), State.PENDING, "RunnerBegins"),
    "begun on this machine, perhaps": (
        Known(job=None, scheduler="local"),
        State.PENDING,
        "RunnerUnconfirmed",
    ),
    "in the queue": (Known(info=WAITS), State.PENDING, "Priority"),
    "on a node": (Known(info=RUNS), State.STARTING, "NodePrepares"),
    "agent starts": (Known(info=RUNS, agent=STARTING), State.STARTING, "xserver"),
    "agent is faster than squeue": (Known(info=WAITS, agent=STARTING), State.STARTING, "xserver"),
    "agent is faster than sbatch": (Known(job=None, agent=STARTING), State.STARTING, "xserver"),
    "runs": (Known(info=RUNS, agent=RUNNING), State.RUNNING, ""),
    "agent ends": (Known(info=RUNS, agent=agent("stopping")), State.STOPPING, ""),
    "stopped while handed over": (Known(stop=STOP), State.STOPPING, "Stopping"),
    "stopped while unconfirmed": (Known(job=None, stop=STOP), State.STOPPING, "Stopping"),
    "stopped in the queue": (Known(info=WAITS, stop=STOP), State.STOPPING, "Stopping"),
    "stopped while it starts": (
        Known(info=RUNS, stop=STOP, agent=STARTING),
        State.STOPPING,
        "Stopping",
    ),
    "stopped while it runs": (
        Known(info=RUNS, stop=STOP, agent=RUNNING),
        State.STOPPING,
        "Stopping",
    ),
    "Slurm ends it": (Known(info=ENDS, agent=RUNNING), State.STOPPING, "Stopping"),
}


@pytest.mark.parametrize("known, state, code", LIVE.values(), ids=LIVE.keys())
def test_live_states(known: Known, state: State, code: str) -> None:
    session = known.session()
    assert (session.status, session.reason_code) == (state, code)
    assert session.live and session.ended_at is None
    assert bool(session.queue) == (state is State.PENDING)


ENDED = {
    "logged out": (Known(info=RUNS, agent=ended(LOGGED_OUT)), State.COMPLETED, "LoggedOut"),
    "crashed": (Known(info=RUNS, agent=ended(CRASHED)), State.FAILED, "XServerEnded"),
    "crashed, Slurm says failed": (
        Known(info=info(JobState.FAILED), agent=ended(CRASHED)), State.FAILED, "XServerEnded",
    ),
    "failed without a word": (Known(info=info(JobState.FAILED)), State.FAILED, "FAILED"),
    "completed without a word": (Known(info=info(JobState.COMPLETED)), State.COMPLETED, "COMPLETED"),
    "completed after a stop": (
        Known(info=info(JobState.COMPLETED), stop=STOP), State.CANCELLED, "StoppedByUser",
    ),
    "cancelled after a stop": (
        Known(info=info(JobState.CANCELLED), stop=STOP), State.CANCELLED, "StoppedByUser",
    ),
    "cancelled by the portal, because it did not start": (
        Known(info=info(JobState.CANCELLED), stop=Stop(why=StopReason.START_TIMEOUT)),
        State.FAILED, "StartTimeout",
    ),
    "job unknown after the portal ended it, which was past its time": (
        Known(job=OLD, stop=Stop(why=StopReason.OVERDUE), since=GONE), State.TIMEOUT, "TimeLimit",
    ),
    "cancelled from outside": (
        Known(info=info(JobState.CANCELLED)), State.CANCELLED, "CancelledOutside",
    ),
    "ended on this machine from outside": (
        Known(info=info(JobState.CANCELLED), scheduler="local"), State.CANCELLED, "EndedOutside",
    ),
    "time limit": (Known(info=info(JobState.TIMEOUT)), State.TIMEOUT, "TimeLimit"),
    "time limit, agent agrees": (
        Known(info=info(JobState.TIMEOUT), agent=ended(TOLD_LIMIT)), State.TIMEOUT, "TimeLimit",
    ),
    "time limit, agent was told by TERM only": (
        Known(info=info(JobState.TIMEOUT), agent=ended(TOLD_OUTSIDE)), State.TIMEOUT, "TimeLimit",
    ),
    "agent reached the limit, Slurm says completed": (
        Known(info=info(JobState.COMPLETED), agent=ended(TOLD_LIMIT)), State.TIMEOUT, "TimeLimit",
    ),
    "node died": (Known(info=info(JobState.NODE_FAIL), agent=SILENT), State.FAILED, "NODE_FAIL"),
    "node died, whatever the agent said": (
        Known(info=info(JobState.NODE_FAIL), agent=ended(TOLD_OUTSIDE)), State.FAILED, "NODE_FAIL",
    ),
    "runner gone": (
        Known(info=info(JobState.NODE_FAIL, code="RunnerGone"), scheduler="local"),
        State.FAILED, "RunnerGone",
    ),
    "preempted": (
        Known(info=info(JobState.PREEMPTED), agent=ended(TOLD_OUTSIDE)), State.FAILED, "PREEMPTED",
    ),
    "memory": (
        Known(info=info(JobState.OUT_OF_MEMORY), agent=SILENT), State.FAILED, "OUT_OF_MEMORY",
    ),
    "job unknown": (
        Known(job=OLD, since=GONE), State.FAILED, "JobUnknown",
    ),
    "job unknown after a stop": (
        Known(job=OLD, stop=STOP, since=GONE),
        State.CANCELLED, "StoppedByUser",
    ),
    "job unknown, it ran when last seen": (
        Known(
            job=OLD, info=RUNS, snapshot=Snapshot({}), agent=SILENT, since=GONE,
        ),
        State.FAILED, "JobUnknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize("known, state, code", ENDED.values(), ids=ENDED.keys())
def test_ended_states(known: Known, state: State, code: str) -> None:
    session = known.session()
    assert (session.status, session.reason_code) == (state, code)
    assert session.reason and session.ended_at and not session.live
    assert session.queue is session.gateway is session.ends_at is session.stale_since is None


def test_a_recorded_end_is_final_whatever_is_said_later() -> None:
    for later in (RUNS, WAITS, info(JobState.FAILED), None):
        known = Known(end=LOGGED_OUT, info=later, agent=RUNNING, stop=STOP)
        session = known.session()
        assert (session.status, session.reason) == (State.COMPLETED, "Bye.")
        assert session.ended_at == LOGGED_OUT.ended_at and session.gateway is None


AWAY = Snapshot({}, complete=False, stale_since=ago(30), stale_reason="Slurm is away.")


@pytest.mark.parametrize(
    "known, state",
    [
        (Known(info=WAITS), State.PENDING),
        (Known(info=RUNS), State.STARTING),
        (Known(info=RUNS, agent=RUNNING), State.RUNNING),
        (Known(info=None), State.PENDING),
        (Known(job=Job(job_id="7", submitted_at=ago(9999)), agent=RUNNING), State.RUNNING),
        (Known(job=Job(job_id="7", submitted_at=ago(9999)), stop=STOP), State.STOPPING),
    ],
)
def test_while_slurm_is_away_the_last_state_stays_and_is_marked(known: Known, state: State) -> None:
    session = replace(known, snapshot=AWAY).session()
    assert session.status is state
    assert (session.stale_since, session.stale_reason) == (ago(30), "Slurm is away.")


def test_what_the_agent_said_last_counts_while_slurm_is_away() -> None:
    session = Known(info=RUNS, agent=ended(CRASHED), snapshot=AWAY).session()
    assert (session.status, session.stale_since) == (State.FAILED, None)


def test_a_new_job_may_be_missing_for_a_while() -> None:
    young = Job(job_id="7", submitted_at=ago(APPEAR_SECONDS - 1))
    assert Known(job=young).session().status is State.PENDING
    assert Known(job=young, agent=RUNNING).session().status is State.RUNNING


def test_a_silent_node_is_marked_and_not_ended() -> None:
    def silent(seconds: float) -> Session:
        return Known(info=RUNS, agent=agent("running", beat=ago(seconds))).session()

    assert silent(SILENCE_SECONDS).stale_since is None
    session = silent(SILENCE_SECONDS + 1)
    assert session.status is State.RUNNING
    assert session.stale_since == ago(SILENCE_SECONDS + 1)
    assert (
        session.stale_reason == f"Node n1 has reported nothing for more than {SILENCE_SECONDS} s."
    )
    later = Known(info=RUNS, agent=agent("running", beat=ago(SILENCE_SECONDS + 61))).session()
    assert later.model_copy(update={"stale_since": session.stale_since}) == session, (
        "it would be told anew at each look"
    )


def test_the_queue_is_shown_with_place_and_estimate() -> None:
    queue = Known(info=WAITS).session().queue
    assert queue and (queue.code, queue.message) == ("Priority", "Others are ahead.")
    assert (queue.position, queue.pending, queue.estimated_start) == (3, 9, ago(-60))


def test_times_and_places_come_from_whoever_knows_them() -> None:
    session = Known(info=RUNS, agent=RUNNING).session()
    assert (session.node, session.display_num, session.sunshine_port) == ("n1", 12, 48026)
    assert session.started_at == RUNS.started_at
    assert session.ends_at == ago(-7194) - END_RESERVE, "it ends itself before its job's limit"
    knows = agent("running", ends_at=ago(-3600))
    assert Known(info=RUNS, agent=knows).session().ends_at == ago(-3600)
    assert session.gateway == GATEWAY and "gateway" not in session.model_dump()
    alone = Known(agent=RUNNING).session()
    assert (alone.started_at, alone.ends_at) == (ago(5), ago(5) + timedelta(hours=2))


def test_only_a_slurm_job_has_a_slurm_id() -> None:
    assert Known().session().slurm_job_id == "7"
    assert Known(scheduler="local").session().slurm_job_id is None


def test_the_end_of_a_job_is_dated_by_the_batch_system() -> None:
    assert Known(info=info(JobState.FAILED, ended_at=ago(99))).session().ended_at == ago(99)
    assert Known(info=info(JobState.FAILED)).session().ended_at == NOW


# What is wrongly taken for an end is final, and the desktop goes on without anybody.

ENDS_OF_JOBS = [state for state in JobState if state.ended]
PASSING = [word for word, known in STATES.items() if known.passing]
UNLISTED = Snapshot({"7": RUNS}, unlisted=frozenset({"7"}))


@pytest.mark.parametrize("state", ENDS_OF_JOBS)
def test_nothing_ends_a_session_whose_agent_has_spoken_a_moment_ago(state: JobState) -> None:
    known = Known(
        job=OLD,
        info=info(state, code=state.name),
        agent=RUNNING,
        since=Since(said=ago(9999), missing=ago(9999)),
    )
    for stop in (None, STOP):
        session = replace(known, stop=stop).session()
        assert session.live and session.stale_code is StaleCode.SCHEDULER_UNCLEAR
        assert state.name in (session.stale_reason or "")
    assert known.session().status is State.RUNNING
    assert not replace(known, agent=SILENT).session().live


@pytest.mark.parametrize("snapshot", [Snapshot({}), UNLISTED], ids=["unknown", "unlisted"])
def test_a_job_that_slurm_does_not_know_has_not_ended_while_its_agent_speaks(
    snapshot: Snapshot,
) -> None:
    job = Job(job_id="7", submitted_at=ago(9999))
    known = Known(job=job, snapshot=snapshot, agent=RUNNING, since=Since(missing=ago(9999)))
    assert known.session().status is State.RUNNING


def test_who_has_seen_the_processes_go_is_believed_at_once() -> None:
    gone = info(JobState.NODE_FAIL, code="RunnerGone", certain=True)
    session = Known(info=gone, agent=RUNNING, scheduler="local").session()
    assert (session.status, session.reason_code) == (State.FAILED, "RunnerGone")
    runs = info(JobState.RUNNING, certain=True)
    assert Known(info=runs, agent=RUNNING, scheduler="local").session().live


def test_a_beat_of_the_future_is_none() -> None:
    agent_ahead = RUNNING.model_copy(update={"beat": ago(-9999)})
    assert not Known(info=info(JobState.FAILED), agent=agent_ahead).session().live


@pytest.mark.parametrize("word", PASSING)
def test_an_end_that_may_pass_is_believed_when_it_is_said_again(word: str) -> None:
    """Before any agent spoke: a job that is put back into the queue runs all the same."""
    said = JobInfo(job_id="7", state=STATES[word].state, **said_of(word))
    once = Known(info=said, since=Since(said=ago(CONFIRM_SECONDS - 1))).session()
    assert once.live and once.stale_code is StaleCode.SCHEDULER_UNCLEAR
    again = Known(info=said, since=Since(said=ago(CONFIRM_SECONDS)))
    assert (again.session().live, again.session().reason_code) == (False, word)
    assert replace(again, snapshot=AWAY).session().live, "remembered is not said again"
    assert not Known(info=said, agent=SILENT).session().live, "nor is anybody there any more"


def test_a_job_is_missing_when_it_is_missing_twice() -> None:
    job = Job(job_id="7", submitted_at=ago(9999))
    for since in (Since(), Since(missing=ago(CONFIRM_SECONDS - 1))):
        assert Known(job=job, since=since).session().live
        assert Known(job=job, since=since, agent=SILENT).session().live
    assert not Known(job=job, since=GONE, agent=SILENT).session().live


def test_what_is_in_doubt_ends_nothing_and_is_told() -> None:
    doubt = Doubt("Slurm says that job 7 is LEVITATING.", ago(30))
    job = Job(job_id="7", submitted_at=ago(9999))
    known = Known(job=job, snapshot=Snapshot({}, doubts={"7": doubt}), since=GONE)
    for agent_ in (None, SILENT, RUNNING):
        session = replace(known, agent=agent_, info=RUNS).session()
        assert session.live and session.stale_code is StaleCode.SCHEDULER_UNCLEAR
        assert (session.stale_since, session.stale_reason) == (ago(30), doubt.reason)
    other = Snapshot({}, doubts={"8": doubt})
    assert replace(known, snapshot=other).session().stale_since is None


def test_a_job_that_only_the_accounting_has_ends_when_its_agent_is_silent_for_long() -> None:
    """sacct says RUNNING for good of a job that a crashed slurmctld has forgotten."""

    def after(seconds: float, **more: object) -> Session:
        job = Job(job_id="7", submitted_at=ago(9999))
        spoke = RUNNING.model_copy(update={"beat": ago(seconds)})
        known = Known(job=job, info=RUNS, snapshot=UNLISTED, agent=spoke, since=GONE)
        return replace(known, **more).session()

    assert after(LOST_SECONDS - 1).live
    lost = after(LOST_SECONDS)
    assert (lost.status, lost.reason_code) == (State.FAILED, "JobLost")
    assert "lost the job" in lost.reason and "runawayjobs" in lost.reason
    assert after(LOST_SECONDS, since=Since()).live, "seen once is not seen"
    stopped = after(SILENCE_SECONDS + 1, stop=STOP)
    assert (stopped.status, stopped.reason_code) == (State.CANCELLED, "StoppedByUser")
    never_spoke = Job(job_id="7", submitted_at=ago(LOST_SECONDS))
    assert after(0, agent=None, job=never_spoke).reason_code == "JobLost"


def test_who_was_ended_because_slurm_lost_the_job_was_not_ended_from_outside() -> None:
    told = ended(TOLD_OUTSIDE)
    lost = Known(job=OLD, info=RUNS, snapshot=UNLISTED, agent=told).session()
    assert (lost.status, lost.reason_code) == (State.FAILED, "JobLost")
    assert lost.ended_at == TOLD_OUTSIDE.ended_at
    assert Known(info=ENDS, agent=told).session().reason_code == "CancelledOutside"
    assert Known(snapshot=UNLISTED, agent=ended(CRASHED)).session().reason_code == "XServerEnded"


def test_a_paused_job_and_a_node_that_is_started_are_told() -> None:
    paused = info(JobState.RUNNING, code="Suspended", message="Slurm has paused the job.")
    session = Known(info=paused, agent=RUNNING).session()
    assert (session.status, session.reason_code) == (State.RUNNING, "Suspended")
    assert session.notes == [paused.message]
    boots = info(JobState.RUNNING, code="NodeStarts", message="Slurm starts the node first.")
    session = Known(info=boots).session()
    assert (session.status, session.reason_code) == (State.STARTING, "NodeStarts")


ENDS_AT = ago(-3600)
HAS = Allocation(node="n1", cpus=4, memory_gb=8, gpus=1, ends_at=ENDS_AT)
GUEST = Known(way=Way.GUEST, allocation=HAS)
OWNING = replace(GUEST, way=Way.OWNING)
NO_ANSWER = Snapshot(complete=False, stale_since=ago(60), stale_reason="Slurm hangs.")
ELSEWHERE = replace(NO_ANSWER, elsewhere=True)
QUIET = agent("running", beat=ago(100), started_at=ago(900), gateway=GATEWAY)
NO_MORE = agent("running", beat=ago(601), started_at=ago(900), gateway=GATEWAY)
LONG_JOB = Job(job_id="7", submitted_at=ago(900))


def test_a_guest_that_speaks_is_known_whatever_the_batch_system_says() -> None:
    for snapshot in (None, NO_ANSWER, ELSEWHERE):
        session = replace(GUEST, agent=RUNNING, snapshot=snapshot).session()
        assert (session.status, session.stale_since) == (State.RUNNING, None)
        assert (session.ends_at, session.started_at) == (ENDS_AT - END_RESERVE, RUNNING.started_at)
    unknown = replace(GUEST, agent=RUNNING, allocation=HAS.model_copy(update={"ends_at": None}))
    assert unknown.session().ends_at is None


def test_a_session_in_a_job_that_was_there_before_began_when_its_agent_did() -> None:
    for known in (GUEST, OWNING):
        session = replace(known, info=RUNS, agent=RUNNING).session()
        assert session.started_at == RUNNING.started_at
        assert session.ends_at == (RUNS.ends_at or NOW) - END_RESERVE
        starting = replace(known, info=RUNS).session()
        assert (starting.status, starting.started_at) == (State.STARTING, None)
        assert replace(known).session().status is State.STARTING


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED])
def test_a_guest_ends_with_its_job_at_the_latest(state: JobState) -> None:
    over = info(state, ended_at=ago(3))
    session = replace(GUEST, info=over, agent=QUIET).session()
    assert (session.status, session.reason_code) == (State.COMPLETED, "JobEnded")
    assert session.ended_at == ago(3)
    stopped = replace(GUEST, info=over, agent=QUIET, stop=STOP).session()
    assert stopped.reason_code == "StoppedByUser"


KILLED_WHILE_ENDING = {
    "at its limit": (JobState.TIMEOUT, TOLD_LIMIT, TOLD_LIMIT),
    "on a busy node": (JobState.FAILED, LOGGED_OUT, LOGGED_OUT),
    "by somebody else too": (JobState.CANCELLED, CRASHED, CRASHED),
    "with its node": (JobState.NODE_FAIL, LOGGED_OUT, None),
}


@pytest.mark.parametrize(
    "state, decided, told", KILLED_WHILE_ENDING.values(), ids=KILLED_WHILE_ENDING
)
def test_why_a_session_was_ending_is_told_though_it_was_killed_meanwhile(
    state: JobState, decided: End, told: End | None
) -> None:
    over = info(state, certain=True, ended_at=ago(1))
    known = Known(info=over, agent=agent("stopping", ending=decided))
    session = known.session()
    end = (session.status, session.reason_code, session.reason, session.ended_at)
    if told:
        assert end == (told.state, told.code, told.reason, told.ended_at)
    else:
        assert session.reason_code == state.name


def test_why_a_job_was_ended_by_force_is_told_to_its_guest() -> None:
    over = info(JobState.OUT_OF_MEMORY, message="Memory.", code="OUT_OF_MEMORY")
    session = replace(GUEST, info=over, agent=QUIET).session()
    assert (session.status, session.reason_code) == (State.FAILED, "OUT_OF_MEMORY")
    contradicted = replace(GUEST, info=over, agent=RUNNING).session()
    assert (contradicted.status, contradicted.stale_code) == (State.RUNNING, "SchedulerUnclear")
    # A desktop that had ended before its job did has nothing to do with that.
    before = replace(GUEST, info=over, agent=ended(LOGGED_OUT)).session()
    assert before.reason_code == "LoggedOut"


def test_a_guest_that_was_killed_with_its_job_is_not_waited_for_longer_than_two_beats() -> None:
    over = info(JobState.CANCELLED, ended_at=ago(40))
    known = replace(GUEST, info=over, since=Since(said=ago(36)))
    gone = replace(known, agent=agent("running", beat=ago(50))).session()
    assert (gone.status, gone.reason_code) == (State.COMPLETED, "JobEnded")
    lives = replace(known, agent=agent("running", beat=ago(20))).session()
    assert (lives.status, lives.stale_code) == (State.RUNNING, "SchedulerUnclear")
    soon = replace(known, agent=agent("running", beat=ago(50)), since=Since(said=ago(10)))
    assert soon.session().status is State.RUNNING


def test_a_guest_whose_job_is_forgotten_has_ended_with_it() -> None:
    known = replace(GUEST, job=LONG_JOB, agent=NO_MORE)
    session = replace(known, since=Since(missing=ago(CONFIRM_SECONDS))).session()
    assert (session.status, session.reason_code) == (State.COMPLETED, "JobEnded")


def test_a_guest_that_is_silent_for_long_while_its_job_runs_has_ended() -> None:
    session = replace(GUEST, info=RUNS, agent=NO_MORE).session()
    assert (session.status, session.reason_code) == (State.FAILED, "DesktopSilent")
    assert "goes on without it" in session.reason
    quiet = replace(GUEST, info=RUNS, agent=agent("running", beat=ago(120))).session()
    assert (quiet.status, quiet.stale_code) == (State.RUNNING, "NodeSilent")
    stopped = replace(GUEST, info=RUNS, agent=NO_MORE, stop=STOP).session()
    assert stopped.reason_code == "StoppedByUser"


@pytest.mark.parametrize("snapshot", [NO_ANSWER, ELSEWHERE])
def test_silence_ends_no_guest_while_nobody_can_be_asked(snapshot: Snapshot) -> None:
    session = replace(GUEST, agent=NO_MORE, snapshot=snapshot).session()
    assert session.status is State.RUNNING and session.stale_since
    over = HAS.model_copy(update={"ends_at": ago(100)})
    ended_with_it = replace(GUEST, agent=NO_MORE, snapshot=snapshot, allocation=over).session()
    assert ended_with_it.reason_code == "JobEnded"


def test_a_suspended_job_is_no_silent_desktop() -> None:
    held = info(JobState.RUNNING, code="Suspended", node="n1")
    assert replace(GUEST, info=held, agent=NO_MORE).session().status is State.RUNNING


def test_an_owning_session_ends_as_its_job_does() -> None:
    over = info(JobState.CANCELLED, ended_at=ago(3))
    assert replace(OWNING, info=over).session().reason_code == "CancelledOutside"
    silent = replace(OWNING, info=RUNS, agent=NO_MORE).session()
    assert (silent.status, silent.stale_code) == (State.RUNNING, "NodeSilent")


HERE = ["handed over", "unconfirmed", "cancelled from outside", "stopped in the queue"]


@pytest.mark.parametrize("name", HERE)
def test_slurm_is_not_named_where_there_is_none(name: str) -> None:
    known, *_ = {**LIVE, **ENDED}[name]
    session = replace(known, scheduler="local").session()
    said = f"{session.reason} {session.queue.message if session.queue else ''}"
    assert not re.search("slurm|scancel|squeue|batch system", said, re.IGNORECASE), said
