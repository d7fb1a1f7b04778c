"""A Jupyter server as a process of its own, as a Hub or a user starts it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import psutil
from jupyter_server.auth import passwd

from tests.cluster.ports import free_port
from tests.support.waiting import GRACE, PATIENCE, wait_for

from .sessions import site_config

PASSWORD = "correct horse battery staple"


class Portal:
    """``python -m jupyter_server`` with the extension and directories of its own."""

    def __init__(
        self,
        directory: Path,
        sessions_dir: Path,
        base_url: str = "/user/alice/",
        server: dict[str, Any] | None = None,
        site: dict[str, Any] | None = None,
    ):
        self.directory = directory
        self.base_url = base_url
        self.token = "a-token-of-jupyter-that-nobody-else-may-see"
        self.port = free_port()
        self.scheme = "https" if server and "certfile" in server else "http"
        self._process: subprocess.Popen[bytes] | None = None
        config = {
            "ServerApp": {
                "port": self.port,
                "port_retries": 0,
                "ip": "127.0.0.1",
                "base_url": base_url,
                "open_browser": False,
                "allow_root": True,
                "root_dir": str(directory),
                "jpserver_extensions": {"moonlight_jupyter": True},
                **(server or {}),
            },
            "IdentityProvider": {"token": self.token},
            "PasswordIdentityProvider": {"hashed_password": passwd(PASSWORD, "sha1")},
            **site_config(sessions_dir, **(site or {})),
        }
        (directory / "jupyter_server_config.json").write_text(json.dumps(config))

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{self.base_url}"

    @property
    def process(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def client(self, login: bool = True, **options: Any) -> httpx.Client:
        """A program with the token, or one that nobody knows."""
        headers = {"Authorization": f"token {self.token}"} if login else {}
        return httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=PATIENCE,
            verify=False,
            trust_env=False,
            **options,
        )

    @contextlib.contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """Somebody who has logged in with the password and now has cookies."""
        with self.client(login=False, follow_redirects=True) as browser:
            browser.get("login")
            form = {"password": PASSWORD, "_xsrf": browser.cookies["_xsrf"]}
            answer = browser.post("login", data=form, follow_redirects=False)
            assert answer.status_code == 302, answer.text
            yield browser

    def start(self) -> None:
        log = open(self.directory / "server.log", "ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server"],
            env={
                **os.environ,
                "HOME": str(self.directory),
                "JUPYTER_CONFIG_DIR": str(self.directory),
                "JUPYTER_DATA_DIR": str(self.directory / "data"),
                "JUPYTER_RUNTIME_DIR": str(self.directory / "runtime"),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        wait_for(self._answers)

    def stop(self) -> None:
        """As an operator stops it."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        return (self.directory / "server.log").read_text("utf-8", "replace")

    def __enter__(self) -> Portal:
        try:
            self.start()
        except BaseException:
            self.stop()
            print(self.log())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log()
        with contextlib.suppress(httpx.TransportError), self.client() as client:
            return client.get("api/moonlight/site").status_code == 200
        return False


class Peak:
    """The most memory that a process has resided in since this was made, in MiB over its start."""

    def __init__(self, process: psutil.Process):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # see proc(5): resets VmHWM
        self._pid = process.pid
        self._start = self._read("VmRSS")

    @property
    def growth(self) -> float:
        return self._read("VmHWM") - self._start

    def _read(self, name: str) -> float:
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        line = next(line for line in lines if line.startswith(name + ":"))
        return int(line.split()[1]) / 1024
