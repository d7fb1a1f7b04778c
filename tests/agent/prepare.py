"""Makes a session's directory as the manager does, and starts nothing.

``python -m tests.agent.prepare BODY``: settings come from the environment, the directory's path
goes to standard output. Run as the user whose session it is.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection

from moonlight_spawner.scheduler.base import JobRequest, Scheduler, Snapshot
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.settings import load_site


class Held(Scheduler):
    """Takes jobs and leaves them lying: the test starts the agent itself."""

    name = "local"

    async def submit(self, request: JobRequest) -> str:
        return request.name

    async def query(self, job_ids: Collection[str]) -> Snapshot:
        return Snapshot()

    async def place(self) -> str:
        return ""

    async def find(self, names: Collection[str]) -> dict[str, str]:
        return {name: name for name in names}

    async def cancel(self, job_id: str) -> None:
        return None

    async def check(self) -> str | None:
        return None


async def prepare(body: object) -> str:
    manager = SessionManager(load_site(), scheduler=Held())
    session, _ = await manager.create(manager.store.user, body)
    await manager.close()
    return str(manager.store.directory(session.session_id))


if __name__ == "__main__":
    print(asyncio.run(prepare(json.loads(sys.argv[1]))))
