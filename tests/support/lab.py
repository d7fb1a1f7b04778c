"""A real JupyterLab of an ordinary user, as a process of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.cluster.ports import free_port
from tests.cluster.users import TestUser, as_user
from tests.support.site import site_env
from tests.support.waiting import GRACE, PATIENCE, wait_until


class Lab:
    """Starts, stops and restarts a server on one port with one token, as `jupyter lab` does.

    Parameters
    ----------
    env
        The site's settings and whatever else the server's environment has.
    base_url
        As behind a Hub, with slashes at both ends.
    """

    def __init__(self, user: TestUser, env: Mapping[str, str], base_url: str = "/"):
        self.user = user
        self.token = secrets.token_urlsafe(16)
        self.base_url = base_url
        self.port = free_port()
        self._env = {**site_env(user.home), "JUPYTER_TOKEN": self.token, **env}
        self._server: subprocess.Popen[bytes] | None = None
        self.log = user.home / f"lab-{self.port}.log"

    @property
    def env(self) -> dict[str, str]:
        """What the server's environment has: its user's commands with it are of the same site."""
        return dict(self._env)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}"

    @property
    def pid(self) -> int:
        assert self._server
        return self._server.pid

    def __enter__(self) -> Lab:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
        argv += [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"]
        argv += [f"--ServerApp.base_url={self.base_url}", "--LabApp.news_url=None"]
        with open(self.log, "ab") as log:
            self._server = subprocess.Popen(
                argv, stdout=log, stderr=log, **as_user(self.user, self._env)
            )
        wait_until(lambda: self._answers() or not self.runs, interval=0.1)
        if not self.runs or not self._answers():
            words = self.log.read_text("utf-8", "replace")[-3000:]
            self.stop()
            raise AssertionError(f"JupyterLab did not start:\n{words}")

    @property
    def runs(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _answers(self) -> bool:
        try:
            self.api("health")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """In order, with KILL as the last resort."""
        if self._server:
            self._server.terminate()
            try:
                self._server.wait(GRACE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """As the machine's out-of-memory killer does."""
        assert self._server
        self._server.kill()
        self._server.wait()

    def api(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Call `/api/moonlight/PATH` with the token; `OSError` while there is no answer."""
        request = urllib.request.Request(
            f"{self.url}api/moonlight/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def stop_sessions(self) -> None:
        """End all sessions and wait until they have ended."""

        def live() -> list[Any]:
            found = [s for s in self.api("sessions")["sessions"] if not s["ended_at"]]
            for session in found:
                self.api(f"sessions/{session['session_id']}", "DELETE")
            return found

        assert wait_until(lambda: not live(), interval=0.2), f"sessions do not end: {live()}"
