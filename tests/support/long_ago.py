"""A session of long ago on record."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cluster.users import TestUser, run_as

#: A session that ended long before any site would forget it.
_OLD = """
import sys
from datetime import timedelta
from moonlight_spawner.model.records import Facts, Job
from moonlight_spawner.model.session import End, Resources, State, now
from moonlight_spawner.store import FileStore
home, session_id = sys.argv[1:]
store = FileStore(home + "/sessions")
asked = Resources(image="d", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30)
long_ago = now() - timedelta(days=400)
facts = Facts(session_id=session_id, user=store.user, image_id="d", image_name="D", host="selkies",
              scheduler="slurm", request=asked, created_at=long_ago)
store.put(store.user, session_id, "facts", facts)
store.put(store.user, session_id, "job", Job(job_id="7"))
end = End(state=State.COMPLETED, code="LoggedOut", reason="You logged out.", ended_at=long_ago)
store.put(store.user, session_id, "end", end)
"""


def one_of_long_ago(user: TestUser) -> Path:
    """Put on record, as its user, a session that ended long before any site would forget it; its
    directory, whose name is the session's id."""
    session_id = f"ml-{user}-oooooooooo"
    done = run_as(user, [sys.executable, "-c", _OLD, str(user.home), session_id])
    assert done.returncode == 0, done.stderr
    (directory,) = (user.home / "sessions").rglob(session_id)
    return directory
