"""What Slurm leaves a user: limits and use as its controller counts them (``scontrol show assoc_mgr``,
which any user may ask; measured on 22.05).

sacctmgr would tell the limits without their use, from the database, in 0.4 s; this takes 6 ms. With
``PrivateData=usage`` a user sees his own association and neither its account's nor others'.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping

from ..model.budget import Allowance, Budget, BudgetState, Kind
from ..model.errors import SchedulerUnavailable
from ..site.options import MoonlightSite
from .command import CommandMissing, CommandTimeout, run

# A controller that hangs is given up before scontrol does that itself, after 20 s: nobody waits for this.
_SECONDS = 10.0
# Each account is a line of 1 KB, whatever user is asked for.
_MOST_BYTES = 16 << 20
# So long an answer serves one user, and what the cluster is set to, all.
_SERVES_SECONDS, _SETTINGS_SERVE_SECONDS = 15.0, 3600.0
_MOST_USERS = 1000

_KINDS: dict[str, Kind] = {"gres/gpu": "gpu", "cpu": "cpu", "node": "node", "billing": "billing"}
_FIELD = re.compile(r"([A-Za-z/]+)=(\S*)")
_USED = re.compile(r"([0-9]+)\(([0-9.]+)\)")
_RUNNING = re.compile(r"[0-9N]+\(([0-9.]+)\)")
_USER = re.compile(r"(.+)\(([0-9]+)\)")
_PARENT = re.compile(r".*\(([0-9]+)\)")

Row = Mapping[str, str]


class SlurmBudgets:
    """Asks rarely, one question at a time for each user, and keeps what was answered."""

    def __init__(self, site: MoonlightSite, command: Callable[[str], str]):
        self._site = site
        self._command = command
        self._known: dict[str, tuple[float, Budget]] = {}  # until when, of the monotonic clock
        self._asked: dict[str, asyncio.Task[Budget]] = {}
        self._counts: tuple[float, bool] | None = None

    async def of(self, user: str) -> Budget:
        """Never fails: that Slurm does not answer is an answer, too."""
        clock = time.monotonic()
        known = self._known.get(user)
        if known and clock < known[0]:
            return known[1]
        task = self._asked.get(user)
        if task is None:
            task = self._asked[user] = asyncio.ensure_future(self._ask(user))
            task.add_done_callback(lambda _: self._asked.pop(user, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, user: str) -> Budget:
        try:
            budget = await self._told(user)
        except SchedulerUnavailable as e:
            budget = Budget(state=BudgetState.UNKNOWN, message=str(e))
        if len(self._known) >= _MOST_USERS:
            self._known.clear()
        self._known[user] = time.monotonic() + _SERVES_SECONDS, budget
        return budget

    async def _told(self, user: str) -> Budget:
        if not await self._limits_count():
            return Budget(state=BudgetState.NONE)
        qos = self._site.qos
        ask = [f"users={user}", f"flags=assoc{',qos' if qos else ''}"]
        said = await self._scontrol("-o", "show", "assoc_mgr", *ask, *([f"qos={qos}"] * bool(qos)))
        # Of many accounts it is long, and this loop relays streams.
        return await asyncio.to_thread(
            read, said, user, qos, self._site.account, self._site.partition
        )

    async def _limits_count(self) -> bool:
        """Whether this cluster holds anybody to limits: without accounting, or told not to, none."""
        clock = time.monotonic()
        if self._counts is None or clock >= self._counts[0]:
            said = await self._scontrol("show", "config")
            found = re.search(r"^AccountingStorageEnforce *= *(.*)$", said, re.MULTILINE)
            if not found:
                raise SchedulerUnavailable("Slurm does not say whether it holds users to limits.")
            counts = bool({"limits", "safe", "all"} & set(re.split(r"[,\s]+", found[1].lower())))
            self._counts = clock + _SETTINGS_SERVE_SECONDS, counts
        return self._counts[1]

    async def _scontrol(self, *arguments: str) -> str:
        try:
            result = await run([self._command("scontrol"), *arguments], _SECONDS, limit=_MOST_BYTES)
        except (CommandTimeout, CommandMissing) as e:
            raise SchedulerUnavailable(f"Slurm does not say what is left of limits: {e}.") from e
        if result.status or result.too_long:
            why = result.errors.strip()[:300] or "its answer cannot be read"
            raise SchedulerUnavailable(f"Slurm does not say what is left of limits: {why}.")
        return result.output


def read(said: str, user: str, qos: str, account: str, partition: str) -> Budget:
    """The answer of ``scontrol -o show assoc_mgr`` for one user.

    ``account`` and ``partition`` are those of the jobs; without an account, the user's default one.

    Raises
    ------
    SchedulerUnavailable
        There is nothing in it of this user.
    """
    rows: list[dict[str, str]] = []
    user_row: dict[str, str] | None = None
    qos_line = uid = ""
    for line in said.splitlines():
        if line.startswith("QOS="):
            if line.startswith(f"QOS={qos}(") or line.startswith(f"QOS={qos} "):
                qos_line = line
        elif line.startswith("ClusterName="):
            row = dict(_FIELD.findall(line))
            whose = _USER.fullmatch(row.get("UserName", ""))
            if whose is None:
                rows.append(row)
            elif whose[1] == user and _rank(row, account, partition) > _rank(
                user_row, account, partition
            ):
                user_row, uid = row, whose[2]
    if user_row is None:
        where = f" in account {account}" if account else ""
        raise SchedulerUnavailable(
            f"Slurm's accounting shows nothing of user {user}{where}: it may be hidden here "
            "(PrivateData in slurm.conf), or the user is not in it."
        )
    of_qos, of_user = _qos_rows(qos_line, uid)
    chain = list(_chain(user_row, rows))
    # What the QoS limits, no association limits any more (Slurm's "Resource Limits", its hierarchy).
    hours = list(_hours(of_qos, "qos", qos))
    at_once = [*_counts(of_qos, "Grp", "qos", qos), *_counts(of_user, "Max", "user", "")]
    taken_hours, taken_counts = {a.kind for a in hours}, {a.kind for a in at_once}
    each = list(_each(of_qos, "qos", qos))
    for link in chain:
        own = link is user_row
        of, name = ("user", "") if own else ("account", link.get("Account", ""))
        counts = [*_counts(link, "Grp", of, name), *(_counts(link, "Max", of, name) if own else ())]
        hours += [a for a in _hours(link, of, name) if a.kind not in taken_hours]
        at_once += [a for a in counts if a.kind not in taken_counts]
        known = {a.kind for a in each}
        each += [a for a in _each(link, of, name) if a.kind not in known]
    return Budget(state=BudgetState.KNOWN, hours=hours, at_once=at_once, each=each)


def _rank(row: Row | None, account: str, partition: str) -> int:
    """Which of a user's associations a job uses: that of its account, and of its partition if there is
    one; 0 is none."""
    if row is None:
        return 0
    if account and row.get("Account") != account:
        return 0
    if not account and row.get("DefAssoc") != "Yes":
        return 0
    own = row.get("Partition", "")
    if own:
        return 2 if own == partition else 0
    return 1


def _chain(row: Row, rows: list[dict[str, str]]) -> Iterator[Row]:
    """The association, its account's, and those above."""
    yield row
    above = next((r for r in rows if r.get("Account") == row.get("Account")), None)
    for _ in range(len(rows)):
        if above is None:
            return
        yield above
        parent = _PARENT.fullmatch(above.get("ParentAccount", ""))
        above = next((r for r in rows if parent and r.get("ID") == parent[1]), None)


def _qos_rows(line: str, uid: str) -> tuple[Row, Row]:
    """The QoS's own limits, and what it lets this user have at the same time: unlike the former that is
    told only of users who have used something."""
    whole, _, users = line.partition(" User Limits=")
    own = re.search(rf"(?:^|[\s(]){uid}\)?=\{{([^}}]*)\}}", users) if uid else None
    return (
        dict(_FIELD.findall(whole.partition(" Account Limits=")[0])),
        {
            name.removesuffix("PU"): value
            for name, value in _FIELD.findall(own[1] if own else "")
            if name in ("MaxTRESPU", "MaxJobsPU")
        },
    )


def _hours(row: Row, of: str, name: str) -> Iterator[Allowance]:
    running = {
        tres: float(found[1])
        for tres, value in _tres(row.get("GrpTRESRunMins", ""))
        if (found := _RUNNING.fullmatch(value))
    }
    for tres, value in _tres(row.get("GrpTRESMins", "")):
        if (found := _USED.fullmatch(value)) and tres in _KINDS:
            used = float(found[2]) + running.get(tres, 0.0)
            yield _allowance(_KINDS[tres], of, name, float(found[1]) / 60, used / 60)
    if found := _USED.fullmatch(row.get("GrpWall", "")):
        yield _allowance("time", of, name, float(found[1]) / 60, float(found[2]) / 60)


def _counts(row: Row, prefix: str, of: str, name: str) -> Iterator[Allowance]:
    for tres, value in _tres(row.get(f"{prefix}TRES", "")):
        if (found := _USED.fullmatch(value)) and tres in _KINDS:
            yield _allowance(_KINDS[tres], of, name, float(found[1]), float(found[2]))
    if found := _USED.fullmatch(row.get(f"{prefix}Jobs", "")):
        yield _allowance("jobs", of, name, float(found[1]), float(found[2]))


def _each(row: Row, of: str, name: str) -> Iterator[Allowance]:
    for tres, value in _tres(row.get("MaxTRESMinsPJ", "")):
        if value.isdigit() and tres in _KINDS:
            yield _allowance(_KINDS[tres], of, name, float(value) / 60, 0.0)


def _tres(value: str) -> Iterator[tuple[str, str]]:
    """``cpu=900000(12),gres/gpu=N(0)``; kinds of GPUs have their own, ``gres/gpu:a100``."""
    for part in value.split(","):
        tres, _, amount = part.rpartition("=")
        if tres:
            yield tres, amount


def _allowance(kind: Kind, of: str, name: str, limit: float, used: float) -> Allowance:
    left = max(0.0, limit - used)
    return Allowance.model_validate(
        {"kind": kind, "of": of, "name": name, "limit": round(limit, 2), "left": round(left, 2)}
    )
