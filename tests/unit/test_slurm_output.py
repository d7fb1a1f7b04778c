"""squeue's and sacct's lines: states, times, places in the queue, and lines that are odd."""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timezone

import pytest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.scheduler.slurm_output import (
    Unreadable,
    parse_names,
    parse_sacct,
    parse_squeue,
)
from moonlight_spawner.scheduler.slurm_place import Line, Place
from moonlight_spawner.scheduler.slurm_words import Asked

ASKED = Asked("viz", "moonlight")


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def line(
    job: str = "7",
    state: str = "PENDING",
    partition: str = "viz",
    priority: str = "100",
    node: str = "n/a",
    start: str = "N/A",
    end: str = "N/A",
    reason: str = "Priority",
) -> str:
    return "|".join((job, state, partition, priority, node, start, end, reason))


def squeue(text: str) -> dict[str, JobInfo]:
    return parse_squeue(text, ASKED).known


def sacct(text: str) -> dict[str, JobInfo]:
    return parse_sacct(text).known


def test_a_running_job() -> None:
    text = line(state="RUNNING", node="n1", start="1700000000", end="1700007200", reason="None")
    job = squeue(text)["7"]
    assert (job.state, job.node) == (JobState.RUNNING, "n1")
    assert (job.started_at, job.ends_at) == (at(1700000000), at(1700007200))
    assert job.position is None and job.estimated_start is None and job.code == ""


def test_a_waiting_job_with_slurms_estimate() -> None:
    job = squeue(line(start="1700000000", node="n1", reason="Resources"))["7"]
    assert (job.state, job.code) == (JobState.PENDING, "Resources")
    assert job.estimated_start == at(1700000000)
    assert job.node is None and job.started_at is None


@pytest.mark.parametrize(
    "word, state",
    [
        ("COMPLETED", JobState.COMPLETED),
        ("FAILED", JobState.FAILED),
        ("TIMEOUT", JobState.TIMEOUT),
        ("NODE_FAIL", JobState.NODE_FAIL),
        ("PREEMPTED", JobState.PREEMPTED),
        ("OUT_OF_MEMORY", JobState.OUT_OF_MEMORY),
        ("CANCELLED", JobState.CANCELLED),
    ],
)
def test_an_ended_job_that_slurm_still_remembers(word: str, state: JobState) -> None:
    job = squeue(line(state=word, node="n1", start="1700000000", end="1700000009"))
    assert (job["7"].state, job["7"].code) == (state, word)
    assert job["7"].ended_at == at(1700000009)


@pytest.mark.parametrize("word", ["LEVITATING", "UPDATE_DB", "RUNNINGG", "R"])
def test_a_state_that_nobody_knows_is_neither_running_nor_ended(word: str) -> None:
    jobs = parse_squeue(line(state=word) + "\n" + line("8"), ASKED)
    assert (set(jobs.known), jobs.unclear) == ({"8"}, {"7": word})
    jobs = parse_sacct(f"7|{word} by 5|n1|1|2\n8|FAILED|n1|1|2")
    assert (set(jobs.known), jobs.unclear) == ({"8"}, {"7": word})


def test_the_partitions_of_those_who_wait_are_known() -> None:
    text = "\n".join([line(), line("8", "RUNNING", node="n1"), line("9", partition="a,b")])
    assert parse_squeue(text, ASKED).waiting == {"7": "viz", "9": "a,b"}


def test_a_reason_may_hold_the_separator_and_names_the_jobs_own_partition() -> None:
    job = squeue(line(reason="odd|reason|here"))["7"]
    assert job.message == "Slurm says: odd|reason|here."
    assert "partition cpu" in squeue(line(partition="cpu"))["7"].message


def test_array_and_heterogeneous_jobs_are_jobs() -> None:
    text = "\n".join([line("9_[1-4%2]"), line("9_12"), line("8+0"), line("7")])
    assert set(squeue(text)) == {"9_[1-4%2]", "9_12", "8+0", "7"}


NO_JOBS = [
    "\n",
    "slurm_load_jobs error: Invalid job id specified",
    "squeue: warning: something",
    "7",
    "7|RUNNING",
    "7|RUNNING|viz|1|n1|N/A|N/A",
    "|||||||",
    "seven|RUNNING|viz|1|n1|N/A|N/A|None",
    "7|running|viz|1|n1|N/A|N/A|None",
    "7||viz|1|n1|N/A|N/A|None",
    "RUNNING|7|viz|1|n1|N/A|N/A|None",
    '{"jobs": []}',
    "<html>503</html>",
    "\x00\x01",
]


@pytest.mark.parametrize("text", NO_JOBS)
@pytest.mark.parametrize("order", ["{0}\n{1}", "{1}\n{0}", "{0}"])
def test_an_answer_with_a_line_that_is_no_job_is_no_answer(text: str, order: str) -> None:
    """It may be the line that was asked for: who passes it over takes the job for gone."""
    with pytest.raises(Unreadable):
        parse_squeue(order.format(text, line("8")), ASKED)
    with pytest.raises(Unreadable):
        parse_sacct(order.format(text, "8|RUNNING|n1|1|2"))


def test_no_lines_are_no_jobs() -> None:
    assert squeue("") == sacct("") == {}
    assert parse_names("") == []


def test_names() -> None:
    assert parse_names("7 ml-a-x\n9_[1-2] ml-a-x\n8 ml-a-y\n") == [(7, "ml-a-x"), (8, "ml-a-y")]
    for text in ("squeue: warning", "7\n", "7 ", "x y\n7 ml-a-x"):
        with pytest.raises(Unreadable):
            parse_names(text)


@pytest.mark.parametrize("odd", ["", "N/A", "Unknown", "NONE", "0", "-1", "1e9", "x" * 99])
def test_odd_times_and_priorities_are_no_error(odd: str) -> None:
    text = line(priority=odd, start=odd, end=odd) + "\n" + line("8", "RUNNING", start=odd, end=odd)
    jobs = squeue(text)
    assert jobs["7"].estimated_start is None
    assert jobs["8"].started_at is None and jobs["8"].ends_at is None
    assert sacct(f"7|FAILED|n1|{odd}|{odd}")["7"].ended_at is None


@pytest.mark.parametrize("node", ["n/a", "", "(null)", "None assigned"])
def test_no_node_is_no_name(node: str) -> None:
    assert squeue(line(state="RUNNING", node=node))["7"].node is None
    assert sacct(f"7|RUNNING|{node}|1|2")["7"].node is None


@pytest.mark.parametrize(
    "words, state, code",
    [
        ("CANCELLED by 1001", JobState.CANCELLED, "CANCELLED"),
        ("COMPLETED", JobState.COMPLETED, "COMPLETED"),
        ("TIMEOUT", JobState.TIMEOUT, "TIMEOUT"),
        ("OUT_OF_MEMORY", JobState.OUT_OF_MEMORY, "OUT_OF_MEMORY"),
        ("RUNNING", JobState.RUNNING, ""),
    ],
)
def test_accounting(words: str, state: JobState, code: str) -> None:
    job = sacct(f"7|{words}|n1|1700000000|1700000009")["7"]
    assert (job.state, job.code, job.node) == (state, code, "n1")
    assert job.ended_at == (at(1700000009) if state.ended else None)


def test_noise_is_no_error_of_ours() -> None:
    chance = random.Random(11)
    alphabet = "0123456789|_[]+%PENDIGRU \t\x00\xff日\n"
    for _ in range(3_000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(120)))
        for parse in (lambda text: parse_squeue(text, ASKED), parse_sacct, parse_names):
            with contextlib.suppress(Unreadable):
                parse(text)  # type: ignore[no-untyped-call]


def test_a_line_that_says_the_same_is_not_read_again() -> None:
    waits, runs, odd = line(), line("8", "RUNNING", node="n1"), line("9", "LEVITATING")
    first = parse_squeue("\n".join((waits, runs, odd)), ASKED)
    again = parse_squeue("\n".join((odd, runs, waits)), ASKED, before=first)
    assert all(again.known[job] is first.known[job] for job in ("7", "8"))
    assert again == first

    moved = line("8", "RUNNING", node="n2")
    later = parse_squeue("\n".join((moved, line(reason="Resources"))), ASKED, before=again)
    assert set(later.known) == {"7", "8"} and later.unclear == {}
    assert later.known["8"].node == "n2" and later.known["7"].code == "Resources"
    assert set(later.lines) == {moved, line(reason="Resources")}, "what is not said is not kept"
    begun = parse_squeue(line("7", "RUNNING", node="n1"), ASKED, before=later)
    assert begun.waiting == {} and begun.known["7"].state is JobState.RUNNING

    with pytest.raises(Unreadable):
        parse_squeue(f"{runs}\nslurm_load_jobs error", ASKED, before=first)


def test_whose_a_job_is_may_change_and_is_read() -> None:
    first = parse_squeue(f"alice|{line()}", ASKED, owners=True)
    later = parse_squeue(f"bob|{line()}", ASKED, owners=True, before=first)
    assert (first.owners, later.owners) == ({"7": "alice"}, {"7": "bob"})


@pytest.mark.parametrize("whole", [True, False])
def test_many_places_are_those_that_are_found_one_by_one(whole: bool) -> None:
    numbers = [str(n) for n in range(100, 200)] + ["12_[1-4,7%2]", "8+0"]
    text = "".join(f"{number}\n" for number in numbers)
    wanted = [*numbers, "10", "99", ""]
    many = Line(text, whole).places(wanted)
    single: dict[str, Place] = {}
    for number in wanted:
        single |= Line(text, whole).places([number])
    assert many == single and set(numbers) <= set(many)
    assert many["100"] == Place(1, len(numbers) if whole else None)
    assert ("99" in many) is not whole
    line_ = Line(text, whole)
    assert line_.places(["150"])["150"] is line_.places(wanted)["150"]
