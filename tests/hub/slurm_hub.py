"""A Hub whose servers are jobs of the real cluster, by our spawner; and its users, by HTTP."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser
from tests.support.site import site_env
from tests.support.waiting import PATIENCE, wait_for

from .hub import PASSWORD, Hub

_BIN = Path(sys.prefix) / "bin"

_CONFIG = """
c.JupyterHub.spawner_class = "moonlight"
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.JupyterHub.log_level = "DEBUG"
c.JupyterHub.tornado_settings = {{"slow_spawn_timeout": 1}}
c.Spawner.cmd = ["{bin}/jupyterhub-singleuser"]
c.Spawner.args = []
c.Spawner.env_keep = []
c.Spawner.default_url = "/moonlight/"
c.Spawner.environment = {{{environment}}}
c.MoonlightSpawner.exec_prefix = "sudo -n -E -u {{username}} env SLURM_CONF={slurm_conf}"
c.MoonlightSpawner.node_addresses = {{"n1": "127.0.0.1", "n2": "127.0.0.1"}}
c.MoonlightSite.cpus, c.MoonlightSite.memory_gb, c.MoonlightSite.gpus = 1, 1.0, 0
c.MoonlightSite.hours, c.MoonlightSite.max_gpus = 0.5, 2
c.MoonlightSite.cache_seconds = 0.2
"""


@contextlib.contextmanager
def slurm_hub(
    cluster: SlurmCluster, users: SlurmUsers, directory: Path, more: str = ""
) -> Iterator[Hub]:
    settings = {user.name: site_env(user.home) for user in users}
    names = list(settings[users.alice.name])
    environment = {"SLURM_CONF": repr(str(cluster.slurm_conf))}
    for name in names:
        values = {user: env[name] for user, env in settings.items()}
        environment[name] = f"lambda spawner: {values!r}[spawner.user.name]"
    text = _CONFIG.format(
        bin=_BIN,
        environment=", ".join(f'"{name}": {value}' for name, value in environment.items()),
        slurm_conf=cluster.slurm_conf,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(cluster.slurm_conf))  # it asks the cluster itself
        for name in names:
            patch.delenv(name, raising=False)
        with Hub(directory, more=text + more) as hub:
            yield hub
    cluster.heal()


def log_in(page: Page, hub: Hub, user: TestUser) -> None:
    page.goto(f"{hub.origin}/hub/login?next=/hub/home")
    page.fill("#username_input", user.name)
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url("**/hub/home")


class HubUser:
    """Somebody who has logged in to the Hub, and calls its pages and its API."""

    def __init__(self, hub: Hub, user: TestUser):
        self.hub = hub
        self.user = user
        self.http = httpx.Client(
            base_url=hub.origin, follow_redirects=True, timeout=PATIENCE, trust_env=False
        )
        self.http.get("/hub/login")
        form = {"username": user.name, "password": PASSWORD, "_xsrf": self._xsrf}
        self.http.post("/hub/login", params={"next": "/hub/home"}, data=form)

    @property
    def _xsrf(self) -> str:
        found = [c.value for c in self.http.cookies.jar if c.name == "_xsrf" and c.path == "/hub/"]
        return found[0] or ""

    @property
    def servers(self) -> str:
        return f"/hub/api/users/{self.user.name}/server"

    def api(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"X-XSRFToken": self._xsrf, "Referer": f"{self.hub.origin}/hub/home"}
        return self.http.request(method, path, json=body, headers=headers)

    def submit_form(self, **fields: str) -> httpx.Response:
        return self.http.post("/hub/spawn", data={"_xsrf": self._xsrf, **fields})

    def server(self, name: str = "") -> dict[str, Any] | None:
        """What the Hub says of one of the user's servers, None if there is none."""
        answer = self.api("GET", f"/hub/api/users/{self.user.name}")
        found: dict[str, Any] | None = answer.json()["servers"].get(name)
        return found

    def start(self, body: Any = None, name: str = "") -> None:
        """By the API, until it is ready."""
        path = f"/hub/api/users/{self.user.name}/servers/{name}" if name else self.servers
        answer = self.api("POST", path, body or {})
        assert answer.status_code in (201, 202), answer.text
        wait_for(lambda: (self.server(name) or {}).get("ready"), interval=0.2)

    def progress(self, name: str = "") -> Iterator[dict[str, Any]]:
        """The events of the Hub's page of a server that is being started."""
        path = f"/hub/api/users/{self.user.name}/server{'s/' + name if name else ''}/progress"
        with self.http.stream("GET", path) as events:
            for line in events.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    def jobs(self, cluster: SlurmCluster) -> list[str]:
        """Ids of the user's jobs that have not ended."""
        return [str(job.id) for job in cluster.squeue(f"--user={self.user.name}")]
