"""`moonlight-hpc` as an ordinary user runs it: another process, another uid, JSON out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cluster.users import TestUser, as_user, run_as
from tests.support.site import site_env
from tests.support.waiting import wait_until

Session = dict[str, Any]
ENDED = ("completed", "failed", "cancelled", "timeout")

# Each line that it reads is one more call of the command.
_LISTER = """
import sys
from moonlight_spawner.cli.main import main
for _ in sys.stdin:
    print("\\0", main(["session", "list", "--all", "--json"]), flush=True)
"""


@contextmanager
def lister(user: TestUser, env: Mapping[str, str]) -> Iterator[Callable[[], list[Session]]]:
    """``moonlight-hpc session list --all`` again and again, for who waits: each call is a manager of
    its own, as in a process of its own, whose start costs twenty times what it asks."""
    with tempfile.TemporaryFile("w+") as errors:
        options = as_user(user, env)
        argv = [sys.executable, "-c", _LISTER]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(argv, text=True, stderr=errors, **pipes, **options) as process:
            assert process.stdin and process.stdout

            def listed() -> list[Session]:
                line = said = ""
                with suppress(BrokenPipeError):  # it has ended: its words tell why
                    print(file=process.stdin, flush=True)
                for line in process.stdout:
                    if line.startswith("\0"):
                        break
                    said += line
                errors.seek(0)
                assert line == "\0 0\n", errors.read() + said
                found: list[Session] = json.loads(said)
                return found

            try:
                yield listed
            finally:
                process.kill()


class UserCli:
    """The command line of one user with the settings of one site."""

    def __init__(self, user: TestUser, env: Mapping[str, str]):
        self.user = user
        self.env = {**site_env(user.home), "MOONLIGHT_HPC_RESOLUTION": "1024x768", **env}

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "moonlight_spawner", *arguments]
        return run_as(self.user, argv, env={**self.env, **(env or {})})

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The same in the background."""
        argv = [sys.executable, "-m", "moonlight_spawner", *arguments]
        options = as_user(self.user, {**self.env, **(env or {})})
        return subprocess.Popen(
            argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )

    def json(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        done = self.run(*arguments, "--json", env=env)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def create(self, *arguments: str, env: Mapping[str, str] | None = None) -> Session:
        session: Session = self.json("session", "create", *arguments, env=env)
        return session

    def sessions(self, env: Mapping[str, str] | None = None) -> list[Session]:
        found: list[Session] = self.json("session", "list", "--all", env=env)
        return found

    def get(self, session_id: str, env: Mapping[str, str] | None = None) -> Session:
        return next(s for s in self.sessions(env) if s["session_id"] == session_id)

    def directory(self, session_id: str) -> Path:
        """Where the session's records lie."""
        return Path(self.env["MOONLIGHT_HPC_SESSIONS_DIR"], self.user.name, session_id)

    def stop(self, session_id: str) -> Session:
        session: Session = self.json("session", "stop", "--wait", session_id)
        return session

    def stop_all(self) -> None:
        for session in self.sessions():
            if session["status"] not in ENDED:
                self.stop(session["session_id"])

    def wait(
        self,
        session_id: str,
        condition: str | Callable[[Session], bool],
        env: Mapping[str, str] | None = None,
    ) -> Session:
        """Until the session has that status or meets the condition.

        A session that has ended while something else was waited for is a failure at once, with
        its reason and the end of its logs.
        """
        met = condition if callable(condition) else lambda s: s["status"] == condition
        session: Session = {}

        def there() -> bool:
            session.update(next(s for s in listed() if s["session_id"] == session_id))
            if met(session):
                return True
            assert session["status"] not in ENDED, self._story(session)
            return False

        with lister(self.user, {**self.env, **(env or {})}) as listed:
            assert wait_until(there, interval=0.2), self._story(session)
        return session

    def _story(self, session: Session) -> str:
        logs = self.run("session", "logs", session["session_id"], "--tail", "3000").stdout
        return json.dumps(session, indent=1) + "\n" + logs
