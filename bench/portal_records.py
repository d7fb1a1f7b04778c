"""Sessions of many users as a portal has them on record, and what Slurm says of their jobs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from moonlight_spawner.model.records import AgentStatus, Facts, Job, Seen
from moonlight_spawner.model.session import (
    End,
    Gateway,
    Model,
    Resources,
    State,
    Step,
    new_session_id,
    now,
)
from moonlight_spawner.portal.view import rank
from moonlight_spawner.scheduler.slurm_output import parse_squeue
from moonlight_spawner.scheduler.slurm_words import Asked
from moonlight_spawner.store.base import Part
from moonlight_spawner.store.redis import RedisStore

_STEPS = ("claim", "xserver", "desktop", "host", "picture", "gateway")
_REQUEST = Resources(
    image="desktop", hours=8, cpus=4, memory_gb=16, gpus=1, resolution="1920x1080", fps=60
)
# How often an agent says that it is well.
_BEAT_SECONDS = 15.0
_FIRST_JOB = 1_000_000


@dataclass
class Recorded:
    """A session. ``line`` is squeue's of its job, empty for one that has ended."""

    user: str
    number: int
    state: State
    gateway: Gateway = field(
        default_factory=lambda: Gateway(hosts=["n1"], port=47_989, certificate="PEM")
    )
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def __post_init__(self) -> None:
        self.session_id = new_session_id(self.user)
        self.created = now() - timedelta(seconds=600 + self.number)
        self.status: AgentStatus | None = None
        if self.state is State.RUNNING:
            moment = self.created + timedelta(seconds=5)
            steps = [Step(id=i, label=i, started_at=moment, ended_at=moment) for i in _STEPS]
            self.status = AgentStatus(
                phase="running",
                steps=steps,
                node=f"n{self.number % 64}",
                gateway=self.gateway,
                encoder="x264",
                started_at=self.created,
                ends_at=self.created + timedelta(hours=8),
            )

    @property
    def job(self) -> str:
        return str(_FIRST_JOB + self.number)

    @property
    def line(self) -> str:
        if self.state is State.PENDING:
            return f"{self.user}|{self.job}|PENDING|gpu|1|(null)|N/A|N/A|Priority\n"
        if self.state is State.RUNNING:
            begun = int(self.created.timestamp())
            times = f"{begun}|{begun + 8 * 3600}"
            return f"{self.user}|{self.job}|RUNNING|gpu|1|n{self.number % 64}|{times}|None\n"
        return ""

    def put(self, store: RedisStore) -> None:
        facts = Facts(
            session_id=self.session_id,
            user=self.user,
            image_id="desktop",
            image_name="Desktop",
            host="selkies",
            scheduler="slurm",
            place="bench",
            door="portal",
            request=_REQUEST,
            created_at=self.created,
        )
        end = None
        if self.state is State.COMPLETED:
            end = End(state=self.state, code="Ended", reason="It ended.", ended_at=now())
        job = Job(job_id=self.job, submitted_at=self.created)
        found = parse_squeue(self.line, Asked("", "", "", hours=8), owners=True).known
        seen = Seen(job=found[self.job]) if found else None
        parts: dict[Part, Model | None] = {"facts": facts, "job": job, "seen": seen, "end": end}
        store.adopt(self.user, self.session_id, parts)
        if self.status:
            store.put_secret(self.user, self.session_id, "token", self.token.encode())
            self.beat(store)

    def beat(self, store: RedisStore) -> None:
        """A sign of life of its agent."""
        if self.status:
            self.status.beat = now()
            self.status.sequence += 1
            store.put_newer(self.user, self.session_id, "status", self.status, rank(self.status))


def made(users: Sequence[str], count: int) -> list[Recorded]:
    """So many sessions in all; of five of a user's three run, one waits and one has ended."""
    states = (State.RUNNING, State.RUNNING, State.PENDING, State.RUNNING, State.COMPLETED)
    return [
        Recorded(users[i % len(users)], i, states[i // len(users) % len(states)])
        for i in range(count)
    ]


class Beating:
    """Lets all agents say that they are well, each every quarter of a minute."""

    def __init__(self, store: RedisStore, recorded: Sequence[Recorded]):
        self._store = store
        self._running = [one for one in recorded if one.status]
        self._at = time.monotonic()
        self._next = 0

    def go_on(self, seconds: float) -> None:
        """As they do in so many seconds, and takes so long."""
        until = time.monotonic() + seconds
        while (clock := time.monotonic()) < until:
            due = (clock - self._at) * len(self._running) / _BEAT_SECONDS
            if due < 1:
                time.sleep(min(0.02, until - clock))
                continue
            self._at = clock
            for _ in range(int(due)):
                self._running[self._next % len(self._running)].beat(self._store)
                self._next += 1
