"""What is left of Slurm's limits, read from what its controller really said (22.05.8)."""

from __future__ import annotations

import pytest
from moonlight_spawner.model.budget import Allowance, Budget
from moonlight_spawner.model.errors import SchedulerUnavailable
from moonlight_spawner.scheduler.slurm_budget import read

_NONE = "cpu=N(1),mem=N(500),energy=N(0),node=N(1),billing=N(1),fs/disk=N(0),gres/gpu=N(1)"
_RUNS = "cpu=N(60),mem=N(30000),energy=N(0),node=N(60),billing=N(60),gres/gpu=N(60)"


def _row(
    account: str,
    user: str = "",
    number: int = 3,
    parent: str = "",
    gpu: str = "N(0)",
    partition: str = "",
    default: str = "Yes",
    more: str = "MaxJobs= MaxTRESMinsPJ=",
) -> str:
    used = f"cpu=N(0),mem=N(0),gres/gpu={gpu}"
    return (
        f"ClusterName=lab Account={account} UserName={user} Partition={partition} Priority=0 ID={number} "
        f"SharesRaw/Norm/Level/Factor=1/0.33/3/0.00 UsageRaw/Norm/Efctv=0.00/1.00/0.00 "
        f"ParentAccount={parent} "
        f"Lft=6 DefAssoc={default if user else 'No'} GrpJobs=N(1) GrpJobsAccrue=N(0) GrpSubmitJobs=N(1) "
        f"GrpWall=N(0.00) GrpTRES={_NONE} GrpTRESMins={used} GrpTRESRunMins={_RUNS} {more} MaxWallPJ= "
        "MaxTRESPJ= MaxTRESPN= MinPrioThresh="
    )


def _qos(gpu_minutes: str = "N(0)", wall: str = "N(0.00)", users: str = "No Users") -> str:
    return (
        f"QOS=moonlight(2) UsageRaw=0.0 GrpJobs=N(1) GrpSubmitJobs=N(1) GrpWall={wall} GrpTRES={_NONE} "
        f"GrpTRESMins=cpu=N(0),gres/gpu={gpu_minutes} GrpTRESRunMins={_RUNS} MaxWallPJ=480 MaxTRESPJ= "
        "MaxTRESPN= MaxTRESMinsPJ=gres/gpu=600 MinPrioThresh=  MinTRESPJ= PreemptMode=OFF Priority=100 "
        f"Account Limits= lab={{MaxJobsPA=N(1) MaxTRESPA={_NONE}}} User Limits={users}"
    )


_USERS = (
    " 28802={MaxJobsPU=3(1) MaxJobsAccruePU=N(0) MaxSubmitJobsPU=N(1) "
    "MaxTRESPU=cpu=N(1),gres/gpu=2(1)} 2880={MaxJobsPU=9(9) MaxTRESPU=gres/gpu=9(9)}"
)
_SCIENCE = _row("science", number=2, gpu="60000(600)")
_LAB = _row("lab", number=3, parent="science(2)", gpu="30000(0)")
_ALICE = _row("lab", "alice(28802)", 4, gpu="1200(30)")


def _read(*lines: str, account: str = "", partition: str = "viz") -> Budget:
    return read("\n".join(lines), "alice", "moonlight", account, partition)


def test_a_users_own_limit_and_those_of_the_accounts_above() -> None:
    other = _row("other", number=9, gpu="60(60)")
    bob = _row("lab", "bob(1)", 5, gpu="60(60)")
    budget = _read("Association Records", _SCIENCE, _LAB, other, bob, _ALICE, _qos())
    # A job that runs may use another hour: it is not left for the next one.
    assert budget.hours == [
        Allowance(kind="gpu", of="user", limit=20, left=18.5),
        Allowance(kind="gpu", of="account", name="lab", limit=500, left=499),
        Allowance(kind="gpu", of="account", name="science", limit=1000, left=989),
    ]
    assert budget.each == [Allowance(kind="gpu", of="qos", name="moonlight", limit=10, left=10)]
    assert budget.at_once == []


def test_what_the_qos_limits_no_association_does_any_more() -> None:
    budget = _read(_LAB, _ALICE, _qos("6000(5970)", wall="1000(100.5)", users=_USERS))
    assert budget.hours == [
        Allowance(kind="gpu", of="qos", name="moonlight", limit=100, left=0),
        Allowance(kind="time", of="qos", name="moonlight", limit=16.67, left=14.99),
    ]
    assert budget.at_once == [
        Allowance(kind="gpu", of="user", limit=2, left=1),
        Allowance(kind="jobs", of="user", limit=3, left=2),
    ]


def test_the_association_is_that_of_the_jobs_account_and_partition() -> None:
    mine = _row("lab", "alice(28802)", 4, gpu="60(0)", default="No")
    usual = _row("other", "alice(28802)", 5, gpu="120(0)")
    here = _row("lab", "alice(28802)", 6, gpu="180(0)", partition="viz", default="No")
    elsewhere = _row("lab", "alice(28802)", 7, gpu="240(0)", partition="short", default="No")

    def limits(*lines: str, account: str = "") -> list[float]:
        return [one.limit for one in _read(*lines, account=account).hours]

    assert limits(mine, usual) == [2]
    assert limits(mine, usual, account="lab") == [1]
    assert limits(elsewhere, here, mine, account="lab") == [3]
    assert limits(elsewhere, mine, account="lab") == [1]


def test_what_one_association_lets_each_job_and_all_of_them_have() -> None:
    alice = _row("lab", "alice(28802)", 4, more="MaxJobs=2(1) MaxTRESMinsPJ=cpu=120,gres/gpu=30")
    budget = _read(_LAB.replace("30000(0)", "N(0)"), alice, _qos())
    assert budget.at_once == [Allowance(kind="jobs", of="user", limit=2, left=1)]
    assert [(one.kind, one.of, one.limit) for one in budget.each] == [
        ("gpu", "qos", 10),
        ("cpu", "user", 2),
    ]


def test_a_user_who_is_hidden_is_not_known_to_have_no_limit() -> None:
    hidden = "Current Association Manager state\nNo associations currently cached in Slurm."
    with pytest.raises(SchedulerUnavailable, match="PrivateData"):
        _read(hidden, _qos())
    with pytest.raises(SchedulerUnavailable, match="account other"):
        _read(_LAB, _ALICE, account="other")
