"""A Jupyter server of the benchmark's own, with our extension and jupyter-server-proxy in it."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.records import AgentStatus, Facts
from moonlight_spawner.model.session import Gateway, Resources, new_session_id
from moonlight_spawner.store import FileStore

from .processes import Program, answers, free_port

SIZE = (1280, 720)
FPS = 60


@dataclass(frozen=True)
class Jupyter:
    """A running server."""

    program: Program
    port: int
    token: str
    sessions_dir: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """What a client that is no browser logs in with."""
        return {"Authorization": f"token {self.token}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the REST API; gives the answer's JSON."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.url + path, data, {**self.headers, "Content-Type": "application/json"}
        )
        request.method = method
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")


@contextmanager
def jupyter_server(directory: Path, env: Mapping[str, str] | None = None) -> Iterator[Jupyter]:
    """Start one that keeps its files, and the sessions' records, below ``directory``."""
    port, token = free_port(), secrets.token_urlsafe(24)
    sessions = directory / "sessions"
    settings = {
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(directory / "config"),
        "JUPYTER_DATA_DIR": str(directory / "data"),
        "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
        "MOONLIGHT_HPC_SESSIONS_DIR": str(sessions),
        "MOONLIGHT_HPC_SCHEDULER": "local",
        "MOONLIGHT_HPC_HOST_DESKTOP": "always",
        **(env or {}),
    }
    argv = [sys.executable, "-m", "jupyter_server", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    argv += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    argv += [f"--ServerApp.root_dir={directory}", "--ServerApp.log_level=WARN"]
    with Program("jupyter", argv, directory, settings) as program:
        program.wait_until(lambda: answers(port), "does not answer", 60)
        jupyter = Jupyter(program, port, token, sessions)
        health = jupyter.call("GET", "/api/moonlight/health")
        if health["status"] != "ok":
            raise RuntimeError(f"the extension is not well: {health}")
        yield jupyter


def register_session(jupyter: Jupyter, gateway: Gateway, token: str) -> str:
    """Put a gateway on record as a running session of this user; gives the session's id.

    These are the records that the launcher and the agent write.
    """
    user = getpass.getuser()
    session_id = new_session_id(user)
    resources = Resources(
        image="host-desktop", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="1280x720", fps=FPS
    )
    facts = Facts(
        session_id=session_id,
        user=user,
        image_id="host-desktop",
        image_name="bench",
        host="selkies",
        scheduler="local",
        request=resources,
    )
    store = FileStore(jupyter.sessions_dir)
    store.put(user, session_id, "facts", facts)
    status = AgentStatus(phase="running", node=os.uname().nodename, gateway=gateway)
    directory = store.directory(session_id)
    write_private(directory / "status.json", status.model_dump_json())
    write_private(directory / "token", token)
    return session_id
