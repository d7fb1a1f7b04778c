"""A desktop that is open when its way, a Hub's server, ends, however it ends, and is started again."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, Page

from tests.browser.desktop import (
    connect,
    press_launch,
    type_command,
    wait_for_desktop,
    wait_running,
)
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser
from tests.support.chromium import chromium, keep, person
from tests.support.waiting import wait_for

from .hub import Hub
from .slurm_hub import HubUser, log_in, slurm_hub

_CULLER = secrets.token_hex(16)

# As jupyterhub-idle-culler has itself put into a Hub; and a Hub that looks often at its servers.
_MORE = f"""
c.JupyterHub.services = [{{"name": "culler", "api_token": "{_CULLER}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "culler",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }},
]
c.Spawner.poll_interval = 1
"""


@pytest.fixture(scope="module")
def hub(
    slurm_cluster: SlurmCluster, slurm_users: SlurmUsers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("again-hub")
    with slurm_hub(slurm_cluster, slurm_users, directory, _MORE) as one:
        yield one


def test_the_picture_comes_back_after_each_end_of_its_server(
    hub: Hub, slurm_cluster: SlurmCluster, slurm_users: SlurmUsers
) -> None:
    alice = HubUser(hub, slurm_users.alice)
    alice.start()
    (first,) = alice.jobs(slurm_cluster)
    with chromium() as browser, person(browser) as context:
        page = context.new_page()
        log_in(page, hub, alice.user)
        page.goto(f"{hub.origin}/user/{alice.user.name}/moonlight/")
        page.locator("[data-testid=where] input[value=job]").check()
        own = press_launch(page)
        wait_running(page, own)
        beside = connect(context, page, desktop_in(page, hub, alice, first))
        desktop = connect(context, page, own)
        logins = [logins_of(beside), logins_of(desktop)]
        assert slurm_cluster.job(first)["JobState"] == "RUNNING"

        with culler(hub):
            banner = stopped(desktop)
        assert "keeps running in its own job" in banner.inner_text()
        assert "has ended with it" in stopped(beside).inner_text()
        started_by(context, banner, alice.user)
        beside.get_by_text("The job that the desktop ran in ended").wait_for()
        back(desktop, alice.user, "culled")

        wait_for(lambda: first not in alice.jobs(slurm_cluster), interval=0.2)
        _, second = sorted(alice.jobs(slurm_cluster), key=int)
        slurm_cluster.command(["scancel", second])  # as its time limit: the Hub has to find out
        started_by(context, stopped(desktop), alice.user)
        back(desktop, alice.user, "job-ended")

        wait_for(lambda: second not in alice.jobs(slurm_cluster), interval=0.2)
        hub.restart()
        back(desktop, alice.user, "hub-restarted")
        assert len(alice.jobs(slurm_cluster)) == 2, "a server or a desktop did not outlive the Hub"
        assert logins == [[], []], (
            "a desktop has logged in by itself, which another tab may be doing"
        )
        keep(desktop, "hub-again")


def logins_of(page: Page) -> list[str]:
    """Which it begins from now on."""
    begun: list[str] = []
    page.on("request", lambda asked: begun.append(asked.url) if "oauth" in asked.url else None)
    return begun


def desktop_in(page: Page, hub: Hub, alice: HubUser, job: str) -> str:
    """Her desktop in that job. Beside it may be some that other tests started."""
    address = f"{hub.origin}/user/{alice.user.name}/api/moonlight/sessions"

    def found() -> list[str]:
        sessions = page.request.get(address).json()["sessions"]
        return [s["session_id"] for s in sessions if s["slurm_job_id"] == job]

    (session_id,) = wait_for(found, interval=0.2)
    return session_id


@contextlib.contextmanager
def culler(hub: Hub) -> Iterator[None]:
    """jupyterhub-idle-culler, which takes the Hub's word on when a server was last used."""
    argv = [sys.executable, "-m", "jupyterhub_idle_culler", f"--url={hub.origin}/hub/api"]
    argv += ["--timeout=1", "--cull-every=1"]
    with subprocess.Popen(argv, env={**os.environ, "JUPYTERHUB_API_TOKEN": _CULLER}) as program:
        try:
            yield
        finally:
            program.kill()


def stopped(desktop: Page) -> Locator:
    """The banner of a desktop whose server has ended, so that the Hub would start it."""
    banner = desktop.locator("[data-testid=connection-banner][data-cause=stopped]")
    banner.wait_for()
    return banner


def started_by(context: BrowserContext, banner: Locator, user: TestUser) -> None:
    """By the banner's link and the Hub's form, without a desktop beside it."""
    with context.expect_page() as opened:
        banner.get_by_test_id("start-server").click()
    hubs = opened.value
    hubs.uncheck("#moonlight-desktop")
    hubs.click("#spawn_form [type=submit]")
    hubs.wait_for_url(re.compile(f"/user/{user.name}/moonlight/"))
    hubs.close()


def back(desktop: Page, user: TestUser, name: str) -> None:
    """By itself, to typed text."""
    desktop.locator("[data-testid=connection-banner][data-phase=interrupted]").wait_for(
        state="detached"
    )
    wait_for_desktop(desktop)
    typed = user.home / f"typed-{name}.txt"
    assert type_command(desktop, f"echo {name} > ~/{typed.name}", typed).strip() == name
