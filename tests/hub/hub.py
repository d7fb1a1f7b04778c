"""A real JupyterHub: its proxy, and a single-user server with our extension for each user."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil

from tests.cluster.ports import free_port
from tests.support.waiting import GRACE, PATIENCE, wait_for

from ..jupyter.sessions import site_config
from . import proxy

PASSWORD = "one password for all"

CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{base_url}"
c.JupyterHub.hub_ip = "127.0.0.1"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite:///{directory}/hub.sqlite"
c.JupyterHub.cookie_secret_file = "{directory}/cookie_secret"
c.JupyterHub.cleanup_servers = True
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.command = {proxy!r}
c.ConfigurableHTTPProxy.pid_file = "{directory}/proxy.pid"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{directory}/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = {patience:g}
c.Spawner.env_keep = ["PATH", "PYTHONPATH", "LANG", "MOONLIGHT_HPC_CONFIG"]
c.Spawner.environment = {{
    "JUPYTER_CONFIG_DIR": "{directory}/jupyter",
    # Here all users are one account; each has records of his own all the same.
    "MOONLIGHT_HPC_SESSIONS_DIR": lambda spawner: f"{directory}/sessions/{{spawner.user.name}}",
}}
"""


class Hub:
    """``jupyterhub`` in a directory of its own, below ``base_url``.

    ``more`` is added to its configuration.
    """

    def __init__(self, directory: Path, base_url: str = "/", more: str = ""):
        self.directory = directory
        self._base_url = base_url
        self.port = free_port()
        (directory / "jupyter").mkdir()
        (directory / "homes").mkdir()
        server = {
            "ServerApp": {"jpserver_extensions": {"moonlight_jupyter": True}},
            **site_config(directory / "unused"),
        }
        del server["MoonlightSite"]["sessions_dir"]
        (directory / "jupyter" / "jupyter_server_config.json").write_text(json.dumps(server))
        text = CONFIG.format(
            patience=PATIENCE,
            directory=directory,
            port=self.port,
            base_url=base_url,
            hub_port=free_port(),
            proxy_port=free_port(),
            proxy=proxy.command(),
            password=PASSWORD,
            python=sys.executable,
        )
        (directory / "jupyterhub_config.py").write_text(text + more)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sessions_dir(self, user: str) -> Path:
        return self.directory / "sessions" / user

    @contextlib.contextmanager
    def browser(self, user: str) -> Iterator[httpx.Client]:
        """Somebody who has logged in to the Hub and whose server runs."""
        with httpx.Client(
            base_url=self.origin, follow_redirects=True, timeout=PATIENCE, trust_env=False
        ) as browser:
            browser.get("/hub/login")
            form = {"username": user, "password": PASSWORD, "_xsrf": browser.cookies["_xsrf"]}
            browser.post("/hub/login", params={"next": "/hub/home"}, data=form)
            browser.get("/hub/spawn")
            page = f"/user/{user}/moonlight/"
            wait_for(lambda: "moonlight-config" in browser.get(page).text)
            yield browser

    def start(self) -> None:
        with open(self.directory / "hub.log", "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"],
                cwd=self.directory,
                env={**os.environ, "PATH": f"{proxy.BIN}:{os.environ['PATH']}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(self._answers)

    def stop(self) -> None:
        """The Hub ends its proxy and servers; what it leaves is ended here."""
        children = self._children()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _kill(children)
        shutil.rmtree(self.directory / "homes", ignore_errors=True)

    def restart(self) -> None:
        """As an administrator does, whose settings say that servers outlive the Hub (they are none of
        its processes then). A node from a wheel is two processes, and the Hub ends one."""
        children = self._children()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)
        _kill(children)
        self.start()

    def kill(self) -> None:
        """As a machine that fails; its proxy is ended, too."""
        children = self._children()
        self._process.kill()
        self._process.wait()
        _kill(children)

    def _children(self) -> list[psutil.Process]:
        """Its servers and its proxy, which a Hub that could not start has left."""
        pids = [self._process.pid]
        with contextlib.suppress(FileNotFoundError, ValueError):
            pids.append(int((self.directory / "proxy.pid").read_text()))
        found = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                found += [process, *process.children(recursive=True)]
        return [process for process in found if process.pid != self._process.pid]

    def log(self) -> str:
        return (self.directory / "hub.log").read_text("utf-8", "replace")

    def secrets(self, user: str, browser: httpx.Client) -> set[str]:
        """Everything that proves to the Hub who somebody is: cookies and the server's own token."""
        found = {cookie.value for cookie in browser.cookies.jar if cookie.value}
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found.add(process.environ().get("JUPYTERHUB_API_TOKEN", ""))
        return {re.sub(r'^"|"$', "", value) for value in found if len(value) > 8}

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        with contextlib.suppress(httpx.TransportError):
            return (
                httpx.get(f"{self.origin}{self._base_url}hub/api/", trust_env=False).status_code
                == 200
            )
        return False

    def __enter__(self) -> Hub:
        try:
            self.start()
        except BaseException:
            print(self.log())
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def api_token(browser: httpx.Client, user: str) -> str:
    """A token that the user made for a program of his."""
    browser.get("/hub/token")
    xsrf = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    answer: Any = browser.post(
        f"/hub/api/users/{user}/tokens",
        json={"note": "a program"},
        headers={"Referer": f"{browser.base_url}/hub/token", "X-XSRFToken": xsrf or ""},
    )
    token: str = answer.json()["token"]
    return token
