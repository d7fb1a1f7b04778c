"""What Slurm's commands really printed, by version: 22.05.8 of Debian 12, 24.11.5 of Debian 13."""

from __future__ import annotations

from dataclasses import dataclass

_FAILED = "sbatch: error: Batch job submission failed: "


@dataclass(frozen=True)
class Recording:
    """Lines in the formats that are asked for, and what they mean."""

    squeue: dict[str, tuple[str, str]]  # a line: state, code
    sacct: dict[str, str]  # a line: state
    refused: dict[str, str]  # sbatch's errors: a word of the sentence
    failed: dict[str, str]  # squeue's reason of a failed job: a word of the sentence


_BOTH = Recording(
    squeue={
        "1|RUNNING|viz|1|n1|1795837726|1795841326|None": ("running", ""),
        "3|PENDING|viz|1|n/a|1795841326|1795844926|BeginTime": ("pending", "BeginTime"),
        "4|PENDING|viz|4294901757|n/a|N/A|N/A|QOSMaxGRESPerUser": ("pending", "QOSMaxGRESPerUser"),
        "6|RESV_DEL_HOLD|viz|0|n/a|N/A|N/A|Reservation course was deleted": (
            "pending",
            "ReservationDeleted",
        ),
        "7|COMPLETING|viz|1|n1|1795839273|1795839283|None": ("ending", ""),
        "7|CANCELLED|viz|1|n1|1795839273|1795839283|None": ("cancelled", "CANCELLED"),
    },
    sacct={
        "6|PENDING|None assigned|Unknown|Unknown": "pending",
        "7|RUNNING|n1|1795839394|Unknown": "running",
        "8|CANCELLED by 1001|n1|1795839394|1795839399": "cancelled",
        "9|OUT_OF_MEMORY|n1|1795839394|1795839399": "out_of_memory",
        "10|NODE_FAIL|n1|1795839394|1795839399": "node_fail",
    },
    refused={
        _FAILED + "Invalid qos specification": "QoS moonlight",
        _FAILED + "Invalid account or account/partition combination specified": "add you",
        _FAILED + "Required partition not available (inactive or drain)": "switched off",
        _FAILED + "Requested node configuration is not available": "No node of partition viz",
        _FAILED + "More processors requested than permitted": "8 CPUs",
    },
    failed={},
)

RECORDINGS = {
    "22.05.8": Recording(
        squeue=_BOTH.squeue
        | {
            "5|PENDING|viz|1|n/a|N/A|N/A|ReqNodeNotAvail, UnavailableNodes:n1": (
                "pending",
                "ReqNodeNotAvail",
            ),
        },
        sacct=_BOTH.sacct,
        refused=_BOTH.refused,
        failed={"JobLaunchFailure": "could not start the job"},
    ),
    "24.11.5": Recording(
        squeue=_BOTH.squeue
        | {
            "5|PENDING|viz|1|n/a|N/A|N/A|ReqNodeNotAvail, May be reserved for other job": (
                "pending",
                "ReqNodeNotAvail",
            ),
        },
        sacct=_BOTH.sacct,
        refused=_BOTH.refused
        | {
            "sbatch: error: CPU count per node can not be satisfied\n"
            + _FAILED
            + "Requested node configuration is not available": "8 CPUs",
        },
        failed={
            "RaisedSignal:53(Real-time signal 19)": "could not start the job",
            "RaisedSignal:9(Killed)": "was killed on its node",
        },
    ),
}
