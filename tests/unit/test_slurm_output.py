"""squeue's and sacct's lines: states, times, places in the queue, and lines that are odd."""

from __future__ import annotations

import random
from datetime import datetime, timezone

import pytest
from moonlight_spawner.scheduler.base import JobState
from moonlight_spawner.scheduler.slurm_queue import parse_sacct, parse_squeue
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


def test_a_running_job() -> None:
    text = line(state="RUNNING", node="n1", start="1700000000", end="1700007200", reason="None")
    job = parse_squeue(text, ASKED)["7"]
    assert (job.state, job.node) == (JobState.RUNNING, "n1")
    assert (job.started_at, job.ends_at) == (at(1700000000), at(1700007200))
    assert job.position is None and job.estimated_start is None and job.code == ""


def test_a_waiting_job_with_slurms_estimate() -> None:
    job = parse_squeue(line(start="1700000000", node="n1", reason="Resources"), ASKED)["7"]
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
    job = parse_squeue(line(state=word, node="n1", start="1700000000", end="1700000009"), ASKED)
    assert (job["7"].state, job["7"].code) == (state, word)
    assert job["7"].ended_at == at(1700000009)


def test_a_state_of_a_newer_slurm_ends_nothing() -> None:
    assert parse_squeue(line(state="LEVITATING"), ASKED)["7"].state is JobState.RUNNING
    assert parse_sacct("7|LEVITATING|n1|1|2").get("7").state is JobState.RUNNING  # type: ignore[union-attr]


def test_places_are_counted_by_priority_then_age_in_each_partition() -> None:
    text = "\n".join(
        [
            line("1", priority="50"),
            line("2", priority="900"),
            line("3", priority="50"),
            line("4", state="RUNNING", priority="9999", node="n1"),
            line("5", partition="cpu", priority="1"),
            line("6", priority="900"),
            line("10", priority="900"),
        ]
    )
    jobs = parse_squeue(text, ASKED)
    assert {i: j.position for i, j in jobs.items()} == {
        "2": 1, "6": 2, "10": 3, "1": 4, "3": 5, "4": None, "5": 1,
    }  # fmt: skip
    assert {j.pending for i, j in jobs.items() if i not in "45"} == {5}
    assert jobs["5"].pending == 1


def test_a_reason_may_hold_the_separator_and_names_the_jobs_own_partition() -> None:
    job = parse_squeue(line(reason="odd|reason|here"), ASKED)["7"]
    assert job.message == "Slurm says: odd|reason|here."
    assert "partition cpu" in parse_squeue(line(partition="cpu"), ASKED)["7"].message


def test_array_and_heterogeneous_jobs_have_places_too() -> None:
    text = "\n".join([line("9_[1-4]"), line("8+0", priority="100"), line("7", priority="90")])
    jobs = parse_squeue(text, ASKED)
    assert set(jobs) == {"9_[1-4]", "8+0", "7"}
    assert sorted(j.position or 0 for j in jobs.values()) == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "slurm_load_jobs error: Invalid job id specified",
        "7",
        "7|RUNNING",
        "7|RUNNING|viz|1|n1|N/A|N/A",
        "|||||||",
    ],
)
def test_lines_that_are_no_jobs_are_passed_over(text: str) -> None:
    jobs = parse_squeue(f"{text}\n{line('8')}", ASKED)
    assert jobs["8"].state is JobState.PENDING
    assert "7" not in jobs


@pytest.mark.parametrize("odd", ["", "N/A", "Unknown", "NONE", "0", "-1", "1e9", "x" * 99])
def test_odd_times_and_priorities_are_no_error(odd: str) -> None:
    text = line(priority=odd, start=odd, end=odd) + "\n" + line("8", "RUNNING", start=odd, end=odd)
    jobs = parse_squeue(text, ASKED)
    assert jobs["7"].estimated_start is None
    assert jobs["8"].started_at is None and jobs["8"].ends_at is None
    assert parse_sacct(f"7|FAILED|n1|{odd}|{odd}")["7"].ended_at is None


@pytest.mark.parametrize("node", ["n/a", "", "(null)", "None assigned"])
def test_no_node_is_no_name(node: str) -> None:
    assert parse_squeue(line(state="RUNNING", node=node), ASKED)["7"].node is None
    assert parse_sacct(f"7|RUNNING|{node}|1|2")["7"].node is None


@pytest.mark.parametrize(
    "words, state, code",
    [
        ("CANCELLED by 1001", JobState.CANCELLED, "CANCELLED"),
        ("COMPLETED", JobState.COMPLETED, "COMPLETED"),
        ("TIMEOUT", JobState.TIMEOUT, "TIMEOUT"),
        ("OUT_OF_MEMORY", JobState.OUT_OF_MEMORY, "OUT_OF_MEMORY"),
        ("RUNNING", JobState.RUNNING, "RUNNING"),
        ("", JobState.RUNNING, ""),
    ],
)
def test_accounting(words: str, state: JobState, code: str) -> None:
    job = parse_sacct(f"7|{words}|n1|1700000000|1700000009|more")["7"]
    assert (job.state, job.code, job.node) == (state, code, "n1")
    assert job.ended_at == (at(1700000009) if state.ended else None)


def test_accounting_lines_that_are_none_are_passed_over() -> None:
    assert parse_sacct("") == {}
    assert set(parse_sacct("Slurm accounting storage is disabled\n7|FAILED|n1|1|2\n|\n")) == {"7"}


def test_noise_is_no_error() -> None:
    chance = random.Random(11)
    alphabet = "0123456789|_[]+%PENDIGRU \t\x00\xff日\n"
    for _ in range(3_000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(120)))
        parse_squeue(text, ASKED)
        parse_sacct(text)
