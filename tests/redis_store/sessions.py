"""Records that tests put into a store."""

from __future__ import annotations

from typing import Any, TypeVar

from moonlight_spawner.model.records import Facts
from moonlight_spawner.model.session import End, Model, Resources, State
from moonlight_spawner.store.redis import RedisStore

M = TypeVar("M", bound=Model)

ALICE, BOB = "alice", "bob"
ID = "ml-alice-abcdefghij"
OTHER = "ml-alice-bbbbbbbbbb"
OF_BOB = "ml-bob-abcdefghij"

_REQUEST = Resources(
    image="desktop",
    hours=2.0,
    cpus=4,
    memory_gb=8.0,
    gpus=1,
    resolution="1920x1080",
    fps=60,
)


def facts(session_id: str = ID, user: str = ALICE, **more: Any) -> Facts:
    named = {"image_id": "desktop", "image_name": "Desktop", "host": "selkies"}
    values = {**named, "scheduler": "slurm", "request": _REQUEST, **more}
    return Facts(session_id=session_id, user=user, **values)


def end() -> End:
    return End(state=State.COMPLETED, code="Ended", reason="It ended.")


def put(store: RedisStore, session_id: str = ID, user: str = ALICE, **parts: Any) -> None:
    """These parts of a session; its facts, if none is named."""
    store.adopt(user, session_id, parts or {"facts": facts(session_id, user)})


def get(store: RedisStore, part: Any, model: type[M], session_id: str = ID) -> M | None:
    """A part of a session of alice's."""
    return store.snapshot(ALICE).get(ALICE, session_id, part, model)
