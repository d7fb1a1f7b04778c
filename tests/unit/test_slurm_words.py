"""Slurm's messages, as a real Slurm 22.05 gives them, in words that a user can act on."""

from __future__ import annotations

import re

import pytest
from moonlight_spawner.model.job import JobState
from moonlight_spawner.scheduler.slurm_words import (
    STATES,
    TIMED_OUT,
    UNREACHABLE,
    Asked,
    ended,
    pending,
    refused,
)

ASKED = Asked("viz", "moonlight", "proj", hours=9.5, gpus=3, cpus=8, memory_gb=64)
FAILED = "sbatch: error: Batch job submission failed: "

REFUSED = [
    (FAILED + "Invalid qos specification", ["QoS moonlight", "Ask your administrators"]),
    (
        FAILED + "Invalid account or account/partition combination specified",
        ["account proj", "partition viz", "add you"],
    ),
    (
        "sbatch: error: invalid partition specified: nosuch\n" + FAILED + "Invalid partition name "
        "specified",
        ["Partition viz does not exist", "`partition`"],
    ),
    (
        "sbatch: error: QOSMaxWallDurationPerJobLimit\n" + FAILED + "Job violates accounting/QOS "
        "policy (job submit limit, user's size and/or time limits)",
        ["9.5 h", "longer than", "shorter session"],
    ),
    (
        "sbatch: error: QOSMaxGRESPerUser\n" + FAILED + "Job violates accounting/QOS policy (job "
        "submit limit, user's size and/or time limits)",
        ["3 GPUs", "8 CPUs", "64 GB", "QoS moonlight"],
    ),
    (
        FAILED + "Requested time limit is invalid (missing or exceeds some limit)",
        ["9.5 h", "partition viz"],
    ),
    (
        FAILED + "Required partition not available (inactive or drain)",
        ["Partition viz", "switched off", "Try again later"],
    ),
    (
        FAILED + "Requested node configuration is not available",
        ["No node of partition viz", "3 GPUs", "Ask for less"],
    ),
    (
        "sbatch: error: Memory specification can not be satisfied\n" + FAILED + "Requested node "
        "configuration is not available",
        ["64 GB of memory", "Ask for less"],
    ),
    # 24.11, and 22.05 with EnforcePartLimits=ALL.
    (FAILED + "More processors requested than permitted", ["8 CPUs", "Ask for less"]),
    (
        "sbatch: error: CPU count per node can not be satisfied\n" + FAILED + "Requested node "
        "configuration is not available",
        ["8 CPUs", "Ask for less"],
    ),
    ("sbatch: unrecognized option '--nosuch'", ["`sbatch_options`", "administrators"]),
    ("sbatch: error: Invalid --time specification", ["9.5 h"]),
]

PENDING = [
    ("None", "None", ["about to look"]),
    ("Priority", "Priority", ["Other jobs", "partition viz"]),
    ("Resources", "Resources", ["free CPUs, memory or GPUs"]),
    ("QOSMaxGRESPerUser", "QOSMaxGRESPerUser", ["GPUs", "QoS moonlight", "ends"]),
    (
        "QOSMaxWallDurationPerJobLimit",
        "QOSMaxWallDurationPerJobLimit",
        ["more time", "QoS moonlight", "not change by waiting"],
    ),
    ("PartitionTimeLimit", "PartitionTimeLimit", ["more time", "not change by waiting"]),
    ("InvalidQOS", "InvalidQOS", ["may not use QoS moonlight", "administrators"]),
    (
        "Job's QOS not permitted to use this partition (viz allows moonlight not normal)",
        "InvalidQOS",
        ["may not use", "partition viz"],
    ),
    ("PartitionDown", "PartitionDown", ["switched off"]),
    (
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority "
        "partitions",
        "ReqNodeNotAvail",
        ["down, drained or reserved"],
    ),
    ("ReqNodeNotAvail, UnavailableNodes:n1", "ReqNodeNotAvail", ["down, drained or reserved"]),
    (
        "ReqNodeNotAvail, May be reserved for other job",
        "ReqNodeNotAvail",
        ["down, drained or reserved"],
    ),
    ("Reservation", "Reservation", ["to begin or end"]),
    ("Reservation course was deleted", "ReservationDeleted", ["does not exist any more"]),
    ("BeginTime", "BeginTime", ["in a moment"]),
    ("QOSMaxCpuPerUserLimit", "QOSMaxPerUser", ["as much as QoS moonlight"]),
    ("QOSMaxJobsPerUserLimit", "QOSMaxPerUser", ["other jobs ends"]),
    ("AssocGrpCpuLimit", "GroupLimit", ["Your group"]),
    ("JobHeldAdmin", "JobHeldAdmin", ["administrator holds"]),
    ("launch failed requeued held", "LaunchFailed", ["could not start"]),
]


@pytest.mark.parametrize("said, words", REFUSED, ids=[r[0][-40:] for r in REFUSED])
def test_a_refusal_says_what_to_do_and_keeps_slurms_words(said: str, words: list[str]) -> None:
    sentence = refused(said, ASKED)
    for word in words:
        assert word in sentence
    own = said.splitlines()[-1].removeprefix("sbatch: ").removeprefix("error: ")
    assert f"(Slurm said: {own}" in sentence or f"{own})" in sentence
    assert "{" not in sentence


def test_the_default_account_is_spoken_of_as_such() -> None:
    said = FAILED + "Invalid account or account/partition combination specified"
    assert "under your default account" in refused(said, Asked("viz", "moonlight"))


def test_a_refusal_that_nobody_has_seen_is_passed_on() -> None:
    assert refused(FAILED + "Flux capacitor missing", ASKED) == (
        "Slurm refused the job: Batch job submission failed: Flux capacitor missing"
    )
    assert refused("", ASKED) == "Slurm refused the job: it gave no reason"
    assert "{gpus} and %s" in refused("sbatch: error: {gpus} and %s", ASKED)


@pytest.mark.parametrize("reason, code, words", PENDING, ids=[p[0][:40] for p in PENDING])
def test_why_a_job_waits(reason: str, code: str, words: list[str]) -> None:
    told_code, sentence = pending(reason, ASKED)
    assert told_code == code
    for word in words:
        assert word in sentence
    assert "{" not in sentence


@pytest.mark.parametrize(
    "reason, code",
    [("FluxCapacitor", "FluxCapacitor"), ("Flux, n1 {qos}", "Flux"), ("(x y)", "(x")],
)
def test_a_reason_that_nobody_has_seen_is_passed_on(reason: str, code: str) -> None:
    assert pending(reason, ASKED) == (code, f"Slurm says: {reason}.")


@pytest.mark.parametrize("reason", ["", " "])
def test_an_empty_reason_is_no_error(reason: str) -> None:
    code, sentence = pending(reason, ASKED)
    assert code and sentence


@pytest.mark.parametrize(
    "said, timed_out, unreachable",
    [
        (FAILED + "Unable to contact slurm controller (connect failure)", False, True),
        ("slurm_load_jobs error: Unable to contact slurm controller (connect failure)", 0, True),
        (FAILED + "Socket timed out on send/recv operation", True, False),
        (FAILED + "Zero Bytes were transmitted or received", True, False),
        (FAILED + "Invalid qos specification", False, False),
    ],
)
def test_a_controller_that_may_have_taken_the_job_is_told_from_one_that_is_away(
    said: str, timed_out: bool, unreachable: bool
) -> None:
    assert bool(TIMED_OUT.search(said)) == timed_out
    assert bool(UNREACHABLE.search(said)) == unreachable


# squeue(1) of 22.05 and of 24.11, JOB STATE CODES.
WORDS = re.findall(
    r"\w+",
    """BOOT_FAIL CANCELLED COMPLETED CONFIGURING COMPLETING DEADLINE FAILED LAUNCH_FAILED NODE_FAIL
    OUT_OF_MEMORY PENDING POWER_UP_NODE PREEMPTED RECONFIG_FAIL REQUEUED REQUEUE_FED REQUEUE_HOLD
    RESIZING RESV_DEL_HOLD REVOKED RUNNING SIGNALING SPECIAL_EXIT STAGE_OUT STOPPED SUSPENDED TIMEOUT""",
)
WAITING = ["PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"]
SURE = ["CANCELLED", "COMPLETED", "FAILED", "TIMEOUT"]


def test_every_state_of_slurm_is_known_and_no_other() -> None:
    assert set(STATES) == set(WORDS)
    assert {w for w in WORDS if STATES[w].state is JobState.PENDING} == set(WAITING)
    over = {w for w in WORDS if STATES[w].state.ended}
    assert {w for w in over if not STATES[w].passing} == set(SURE)


@pytest.mark.parametrize(
    "word, code, words",
    [
        ("RESV_DEL_HOLD", "ReservationDeleted", ["does not exist any more", "start again"]),
        ("REQUEUE_HOLD", "RequeueHold", ["held", "scontrol release"]),
        ("SPECIAL_EXIT", "SpecialExit", ["held", "administrators"]),
        ("REQUEUED", "Requeued", ["back into the queue"]),
        ("REQUEUE_FED", "Requeued", ["back into the queue"]),
    ],
)
def test_a_state_that_says_why_a_job_waits_says_more_than_the_reason(
    word: str, code: str, words: list[str]
) -> None:
    told_code, sentence = pending("Reservation", ASKED, word)
    assert told_code == code
    assert all(w in sentence for w in words)


@pytest.mark.parametrize(
    "word, said",
    [
        ("TIMEOUT", "time limit"),
        ("DEADLINE", "deadline"),
        ("NODE_FAIL", "node failed"),
        ("BOOT_FAIL", "could not be started"),
        ("RECONFIG_FAIL", "could not be prepared"),
        ("LAUNCH_FAILED", "could not start the job"),
        ("PREEMPTED", "higher priority"),
        ("OUT_OF_MEMORY", "more memory"),
        ("REVOKED", "federation"),
    ],
)
def test_ends_that_only_slurm_knows_of_have_a_sentence(word: str, said: str) -> None:
    assert said in ended(word)["message"]
    assert ended(word)["code"] == word


@pytest.mark.parametrize("word", ["CONFIGURING", "POWER_UP_NODE", "SUSPENDED", "STOPPED"])
def test_what_keeps_a_desktop_from_going_on_has_a_sentence(word: str) -> None:
    assert STATES[word].state is JobState.RUNNING and STATES[word].message and STATES[word].code


NOTHING_SET = Asked("", "", "", hours=9.5, gpus=3, cpus=8, memory_gb=64)


@pytest.mark.parametrize("said", [said for said, _ in REFUSED])
def test_what_is_left_to_slurm_is_spoken_of_as_its_default(said: str) -> None:
    own = refused(said, NOTHING_SET).partition(" (Slurm said")[0]
    assert "  " not in own and "{" not in own
    defaults = ("your default QoS", "he default partition", "your default account", "Your account")
    for default in defaults:
        own = own.replace(default, "")
    assert not re.search("QoS|artition |account", own.replace("`partition`", "")), own


@pytest.mark.parametrize("reason", [reason for reason, _, _ in PENDING])
def test_why_a_job_waits_where_nothing_is_set(reason: str) -> None:
    _, sentence = pending(reason, NOTHING_SET)
    assert "  " not in sentence and "{" not in sentence
    assert "QoS allows" not in sentence or "default QoS allows" in sentence


def test_a_cluster_without_a_default_partition_is_told_from_a_wrong_one() -> None:
    said = FAILED + "No partition specified or system default partition"
    assert "no default partition" in refused(said, NOTHING_SET)
