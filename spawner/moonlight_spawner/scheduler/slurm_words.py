"""Slurm's messages in plain words. The messages are those of a real Slurm 22.05 and a real 24.11."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..model.job import JobState


@dataclass(frozen=True)
class Word:
    """A state as squeue(1) and sacct(1) name it, and what it means for a session.

    ``passing``: jobs have been seen to run (again) after it, so one look at it proves no end.
    """

    state: JobState
    code: str = ""
    message: str = ""
    passing: bool = False


_NEVER = "This will not change by waiting: stop it and start again with less."
_SITE = "Please tell your administrators."
_LIMIT = "The session reached its time limit."
_NODE = "The node failed or lost contact with Slurm."
_STARTS = "Slurm starts the node first; this takes some minutes."
_PAUSED = "Slurm has paused the job; the desktop stands still until it is resumed."
_LAUNCH = "Slurm could not start the job on its node. " + _SITE
_RESERVATION = (
    "The reservation that the job waited for does not exist any more, so the job is held and will not "
    "start. Stop it and start again."
)
_HELD = "The job was put back into the queue and is held there. "

# All words of squeue(1) but UPDATE_DB, which says that accounting is being written and hides the state
# itself. A word that is not here is no answer: it neither ends a session nor makes it run.
STATES: dict[str, Word] = {
    "PENDING": Word(JobState.PENDING),
    "REQUEUED": Word(JobState.PENDING, "Requeued", "Slurm puts the job back into the queue."),
    "REQUEUE_FED": Word(JobState.PENDING, "Requeued", "Slurm puts the job back into the queue."),
    "REQUEUE_HOLD": Word(
        JobState.PENDING, "RequeueHold", _HELD + "Release it with scontrol release."
    ),
    "SPECIAL_EXIT": Word(JobState.PENDING, "SpecialExit", _HELD + _SITE),
    "RESV_DEL_HOLD": Word(JobState.PENDING, "ReservationDeleted", _RESERVATION),
    "CONFIGURING": Word(JobState.RUNNING, "NodeStarts", _STARTS),
    "POWER_UP_NODE": Word(JobState.RUNNING, "NodeStarts", _STARTS),
    "RUNNING": Word(JobState.RUNNING),
    "RESIZING": Word(JobState.RUNNING),
    "SIGNALING": Word(JobState.RUNNING),
    "SUSPENDED": Word(JobState.RUNNING, "Suspended", _PAUSED),
    "STOPPED": Word(JobState.RUNNING, "Suspended", _PAUSED),
    "STAGE_OUT": Word(JobState.ENDING),
    "COMPLETING": Word(JobState.ENDING),
    "COMPLETED": Word(JobState.COMPLETED),
    "CANCELLED": Word(JobState.CANCELLED),
    "FAILED": Word(JobState.FAILED),
    "TIMEOUT": Word(JobState.TIMEOUT, message=_LIMIT),
    "DEADLINE": Word(
        JobState.TIMEOUT, message="The job's deadline came before its end.", passing=True
    ),
    "NODE_FAIL": Word(JobState.NODE_FAIL, message=_NODE, passing=True),
    "BOOT_FAIL": Word(
        JobState.NODE_FAIL, message="The node could not be started. " + _SITE, passing=True
    ),
    "RECONFIG_FAIL": Word(
        JobState.NODE_FAIL, message="The node could not be prepared. " + _SITE, passing=True
    ),
    "LAUNCH_FAILED": Word(JobState.FAILED, message=_LAUNCH, passing=True),
    "PREEMPTED": Word(
        JobState.PREEMPTED,
        message="Slurm gave the session's place to a job of higher priority.",
        passing=True,
    ),
    "OUT_OF_MEMORY": Word(
        JobState.OUT_OF_MEMORY,
        message="The session used more memory than it had asked for. Ask for more.",
        passing=True,
    ),
    "REVOKED": Word(
        JobState.FAILED,
        message="Another cluster of the federation took the job; it cannot be followed there. Start it "
        "again.",
        passing=True,
    ),
}

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
    (r"Reservation .* was deleted", "ReservationDeleted", _RESERVATION),
    (r"Reservation\w*", "Reservation", "Waiting for a reservation to begin or end."),
    (r"Dependency\w*", "Dependency", "Waiting for another job, as asked for."),
    (r"BeginTime", "BeginTime", "Slurm will look at the job again in a moment."),
    (r"Licenses", "Licenses", "Waiting for a free licence."),
    (r"JobHeldUser", "JobHeldUser", "The job is held. Release it with scontrol release."),
    (r"JobHeldAdmin", "JobHeldAdmin", "An administrator holds the job. " + _SITE),
    (r"launch failed.*", "LaunchFailed", _LAUNCH),
]

# Reasons of failed jobs: 22.05 says that a launch failed, 24.11 the signal that stands for it.
_FAILED: list[tuple[str, str]] = [
    (
        r"JobLaunchFailure|RaisedSignal:53\b.*",
        "Slurm could not start the job on its node: often it cannot write the session's log there. "
        + _SITE,
    ),
    (
        r"RaisedSignal:9\b.*",
        "The job was killed on its node before the desktop could report why. Look at its log.",
    ),
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
        r"[Nn]o partition specified|system default partition",
        "This cluster has no default partition. Ask your administrators to name one in the setting "
        "`partition`.",
    ),
    (
        r"[Ii]nvalid partition",
        "Partition {partition} does not exist on this cluster. Ask your administrators to correct the "
        "setting `partition`.",
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
        r"More processors requested than permitted|CPU count per node can not be satisfied",
        "No node of partition {partition} gives one job {cpus} CPUs. Ask for less.",
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
        """``sentence`` with its values; one that was left to Slurm is spoken of as its default."""
        if not self.partition:
            sentence = sentence.replace("partition {partition}", "the default partition")
            sentence = sentence.replace("Partition {partition}", "The default partition")
        if not self.qos:
            sentence = sentence.replace("QoS {qos}", "your default QoS")
        if not self.account:
            sentence = sentence.replace("account {account}", "your default account")
        words = {k: f"{v:g}" if isinstance(v, float) else v for k, v in vars(self).items()}
        return sentence.format(**words)


def pending(reason: str, asked: Asked, word: str = "PENDING") -> tuple[str, str]:
    """Code and sentence for squeue's reason (``%r``) of a job that is pending, in this word."""
    known = STATES[word]
    if known.message:
        return known.code, known.message
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


def ended(word: str, reason: str = "") -> dict[str, Any]:
    """What a :class:`.base.JobInfo` says of a job that ended in this state, for this reason (``%r``)."""
    known = STATES[word]
    message = known.message
    for pattern, sentence in _FAILED if known.state is JobState.FAILED else ():
        if not message and re.fullmatch(pattern, reason):
            message = sentence
    return {"code": word, "message": message, "passing": known.passing}
