"""Nothing stays behind of a session, also where its processes do not show themselves.

``hidepid`` hides from a user the processes of others, and of his own those that closed themselves:
ssh-agent (its file sets a group id) and gpg-agent.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pytest

from tests.cluster.users import TestUser, as_user
from tests.support.reachable import reachable


@pytest.mark.parametrize("proc", ["hidepid=2", "hidepid=0"])
def test_everything_below_a_process_is_ended(user: TestUser, proc: str) -> None:
    # A socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="mlt-agents-", dir=user.home) as home:
        subprocess.run(["chown", f"{user.uid}:{user.gid}", home], check=True)
        inside = f'mount -t proc -o {proc} proc /proc && exec "$@"'
        argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside, "sh"]
        argv += [sys.executable, "-m", "tests.agent.daemons", f"{user.uid}", f"{user.gid}", home]
        env = as_user(user)["env"]
        done = subprocess.run(argv, cwd=reachable(), env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["left"] == [], told["before"]
