"""Slurm's messages in plain words. The messages are those of a real Slurm 22.05."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .base import JobState

STATES = {
    "PENDING": JobState.PENDING,
    "CONFIGURING": JobState.RUNNING,
    "RUNNING": JobState.RUNNING,
    "SUSPENDED": JobState.RUNNING,
    "STOPPED": JobState.RUNNING,
    "RESIZING": JobState.RUNNING,
    "SIGNALING": JobState.RUNNING,
    "STAGE_OUT": JobState.ENDING,
    "COMPLETING": JobState.ENDING,
    "COMPLETED": JobState.COMPLETED,
    "CANCELLED": JobState.CANCELLED,
    "FAILED": JobState.FAILED,
    "BOOT_FAIL": JobState.NODE_FAIL,
    "NODE_FAIL": JobState.NODE_FAIL,
    "TIMEOUT": JobState.TIMEOUT,
    "DEADLINE": JobState.TIMEOUT,
    "PREEMPTED": JobState.PREEMPTED,
    "REVOKED": JobState.CANCELLED,
    "OUT_OF_MEMORY": JobState.OUT_OF_MEMORY,
    "REQUEUED": JobState.PENDING,
    "REQUEUE_FED": JobState.PENDING,
    "REQUEUE_HOLD": JobState.PENDING,
    "SPECIAL_EXIT": JobState.PENDING,
}

_NEVER = "This will not change by waiting: stop it and start again with less."
_SITE = "Please tell your administrators."

_PENDING: list[tuple[str, str, str]] = [
    (r"None", "None", "Slurm has the job and is about to look at it."),
    (r"Priority", "Priority", "Other jobs in partition {partition} are ahead of yours."),
    (r"Resources", "Resources", "Waiting for free CPUs, memory or GPUs in partition {partition}."),
    (
        r"QOS(MaxGRESPerUser|GRES|MaxGRES)",
        "QOSMaxGRESPerUser",
        "You use as many GPUs as QoS {qos} allows you at once. It starts when one of your other "
        "GPU jobs ends.",
    ),
    (
        r"QOSMax(CpuPerUser|MemoryPerUser|NodePerUser)\w*|QOSMaxJobsPerUser\w*",
        "QOSMaxPerUser",
        "You use as much as QoS {qos} allows you at once. It starts when one of your other jobs ends.",
    ),
    (
        r"QOSGrp\w*|AssocGrp\w*",
        "GroupLimit",
        "Your group uses as much as it is allowed at once. It starts when some of its jobs end.",
    ),
    (
        r"QOSMaxWallDurationPerJobLimit",
        "QOSMaxWallDurationPerJobLimit",
        "You asked for more time than QoS {qos} allows. " + _NEVER,
    ),
    (
        r"QOSMax\w*PerJob\w*|QOSMin\w*|AssocMax\w*",
        "LimitPerJob",
        "You asked for more than your limits allow one job. " + _NEVER,
    ),
    (
        r"PartitionTimeLimit",
        "PartitionTimeLimit",
        "You asked for more time than partition {partition} allows. " + _NEVER,
    ),
    (
        r"InvalidQOS|InvalidAccount|AccountNotAllowed|QOSNotAllowed|Job's QOS not permitted.*",
        "InvalidQOS",
        "Your account may not use QoS {qos} on partition {partition} (any more). " + _SITE,
    ),
    (
        r"PartitionDown|PartitionInactive",
        "PartitionDown",
        "Partition {partition} is switched off by the administrators at present.",
    ),
    (
        r"Nodes required for job are DOWN.*|ReqNodeNotAvail.*|NodeDown.*",
        "ReqNodeNotAvail",
        "The nodes of partition {partition} are down, drained or reserved at present.",
    ),
    (r"Reservation\w*", "Reservation", "Waiting for a reservation to begin or end."),
    (r"Dependency\w*", "Dependency", "Waiting for another job, as asked for."),
    (r"BeginTime", "BeginTime", "Slurm will look at the job again in a moment."),
    (r"Licenses", "Licenses", "Waiting for a free licence."),
    (r"JobHeldUser", "JobHeldUser", "The job is held. Release it with scontrol release."),
    (r"JobHeldAdmin", "JobHeldAdmin", "An administrator holds the job. " + _SITE),
    (r"launch failed.*", "LaunchFailed", "Slurm could not start the job on its node. " + _SITE),
]

_REFUSED: list[tuple[str, str]] = [
    (
        r"Invalid qos specification",
        "Your account may not use QoS {qos} (or partition {partition} does not allow it). "
        "Ask your administrators for access to QoS {qos}.",
    ),
    (
        r"Invalid account or account/partition",
        "Slurm does not know you under account {account} on partition {partition}. "
        "Ask your administrators to add you.",
    ),
    (
        r"[Ii]nvalid partition",
        "This cluster has no partition {partition}. Ask your administrators to correct the setting "
        "`partition`.",
    ),
    (
        r"QOSMaxWallDurationPerJobLimit|Requested time limit is invalid|Invalid --time",
        "You asked for {hours} h, which is longer than QoS {qos} or partition {partition} allows. "
        "Ask for a shorter session.",
    ),
    (
        r"QOSMax\w*|violates accounting/QOS policy",
        "You asked for more than QoS {qos} allows ({gpus} GPUs, {cpus} CPUs, {memory_gb} GB, "
        "{hours} h). Ask for less, or end another job first.",
    ),
    (
        r"Required partition not available",
        "Partition {partition} is switched off by the administrators at present. Try again later.",
    ),
    (
        r"Memory specification can not be satisfied",
        "No node of partition {partition} has {memory_gb} GB of memory. Ask for less.",
    ),
    (
        r"Requested node configuration is not available",
        "No node of partition {partition} has {gpus} GPUs, {cpus} CPUs and {memory_gb} GB. "
        "Ask for less.",
    ),
    (
        r"unrecognized option|invalid option",
        "The site's setting `sbatch_options` has an option that Slurm does not know. " + _SITE,
    ),
    (
        r"User's group not permitted|not permitted to use this partition",
        "Your account may not use partition {partition}. Ask your administrators for access.",
    ),
]

UNREACHABLE = re.compile(
    r"Unable to contact slurm controller|Connection refused|Unable to resolve|connect failure"
)
TIMED_OUT = re.compile(r"Socket timed out|Zero Bytes were transmitted|send/recv")

_ENDS = {
    JobState.TIMEOUT: "The session reached its time limit.",
    JobState.NODE_FAIL: "The node failed or lost contact with Slurm.",
    JobState.PREEMPTED: "Slurm gave the session's place to a job of higher priority.",
    JobState.OUT_OF_MEMORY: "The session used more memory than it had asked for. Ask for more.",
}


@dataclass(frozen=True)
class Asked:
    """What the sentences speak of."""

    partition: str
    qos: str
    account: str = ""
    hours: float = 0
    gpus: int = 0
    cpus: int = 0
    memory_gb: float = 0

    def fill(self, sentence: str) -> str:
        words = {k: f"{v:g}" if isinstance(v, float) else v for k, v in vars(self).items()}
        words["account"] = self.account or "your default account"
        return sentence.format(**words)


def pending(reason: str, asked: Asked) -> tuple[str, str]:
    """Code and sentence for squeue's reason (``%r``) of a pending job."""
    for pattern, code, sentence in _PENDING:
        if re.fullmatch(pattern, reason):
            return code, asked.fill(sentence)
    words = reason.replace(",", " ").split()
    return words[0] if words else "None", f"Slurm says: {reason}."


def refused(text: str, asked: Asked) -> str:
    """Sentence for what sbatch said when it refused; Slurm's own words are kept behind it."""
    said = " ".join(
        line.removeprefix("sbatch: ").removeprefix("error: ").strip()
        for line in text.strip().splitlines()
    )
    for pattern, sentence in _REFUSED:
        if re.search(pattern, text):
            return f"{asked.fill(sentence)} (Slurm said: {said})"
    return f"Slurm refused the job: {said or 'it gave no reason'}"


def end_message(state: JobState) -> str:
    return _ENDS.get(state, "")
