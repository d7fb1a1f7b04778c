"""From a Hub's login page to text typed on a desktop, in a browser, and behind a site's nginx."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.desktop import connect, launch, type_command, wait_for_desktop
from tests.cluster.ports import free_port
from tests.jupyter import sessions
from tests.support.chromium import chromium, keep, person
from tests.support.nginx import Nginx
from tests.support.waiting import PATIENCE, wait_for

from .hub import PASSWORD, Hub

_STOPPED = "[data-testid=connection-banner][data-cause=stopped]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def hub_behind_nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, str]]:
    """A Hub below a path of its own, and the address at which its users know it."""
    directory = tmp_path_factory.mktemp("nginx-hub")
    front = tmp_path_factory.mktemp("nginx")
    with Hub(directory, base_url="/portal/") as hub:
        with Nginx.before(front, free_port(), hub.origin, "/portal/") as nginx:
            yield hub, nginx.origin
    sessions.stop_all(hub.sessions_dir("alice"))


class Events:
    """What the page's stream of events brought it, counted below the page."""

    def __init__(self, page: Page):
        self.statuses: list[int] = []
        self.parts = 0
        self._ids: set[str] = set()
        network = page.context.new_cdp_session(page)
        network.on("Network.responseReceived", self._answered)
        network.on("Network.dataReceived", self._came)
        network.send("Network.enable")

    def _answered(self, event: dict[str, Any]) -> None:
        if event["response"]["url"].endswith("/api/moonlight/events"):
            self._ids.add(event["requestId"])
            self.statuses.append(event["response"]["status"])

    def _came(self, event: dict[str, Any]) -> None:
        self.parts += event["requestId"] in self._ids


def log_in(page: Page, home: str) -> None:
    """Through the Hub's login page to the session page of one's own server, which is started."""
    page.goto(home)
    page.fill("#username_input", "alice")
    page.fill("#password_input", PASSWORD)
    page.click("#login_submit")
    page.wait_for_url(re.compile("/user/alice/|/hub/spawn"))
    page.wait_for_url(re.compile("/user/alice/"))


def desktop_from_the_login(browser: Browser, hub: Hub, base: str, name: str) -> None:
    typed = hub.directory / f"{name}.txt"
    with person(browser, ignore_https_errors=True) as context:
        page = context.new_page()
        log_in(page, f"{base}hub/spawn/alice")
        events = Events(page)
        page.goto(f"{base}user/alice/moonlight/")
        page.get_by_test_id("launch").wait_for()
        # The list, and what becomes of the launch: pushed, not asked for. A browser may tell of several
        # parts as of one.
        listed = wait_for(lambda: page.title() and events.parts)
        session_id = launch(page)
        assert events.statuses == [200] and events.parts > listed
        assert page.get_by_text("Live updates do not get through").count() == 0
        desktop = connect(context, page, session_id)
        assert (
            type_command(desktop, f"echo typed-{name} > {typed}", typed).strip() == f"typed-{name}"
        )
        keep(desktop, f"hub-{name}")
        api = f"{base}user/alice/api/moonlight/sessions/{session_id}"
        assert context.request.get(api).json()["status"] == "running"
        opened = a_terminal(hub, "session", "open", session_id)
        assert opened.stdout == f"{desktop.url}\n", opened.stderr
        its_server_is_stopped(page, desktop, base)
        if name == "plain":
            its_server_is_started_again(context, desktop, typed)


def a_terminal(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Our command as alice calls it, who has come by the Hub."""
    directory = str(hub.sessions_dir("alice"))
    return subprocess.run(
        [sys.executable, "-m", "moonlight_spawner", *arguments],
        env={
            **os.environ,
            "MOONLIGHT_HPC_SCHEDULER": "local",
            "MOONLIGHT_HPC_SESSIONS_DIR": directory,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def its_server_is_stopped(page: Page, desktop: Page, base: str) -> None:
    """An open desktop says what has become of it, and where to start the server again."""
    page.goto(f"{base}hub/home")
    page.click("#stop")
    banner = desktop.locator(_STOPPED)
    banner.wait_for()
    said = banner.inner_text()
    assert "has ended" in said and "may keep running" in said and "keeps running;" not in said
    keep(desktop, "hub-stopped")
    link = banner.get_by_test_id("start-server").get_attribute("href")
    assert link and f"{base}hub/spawn/alice".endswith(link)


def its_server_is_started_again(context: BrowserContext, desktop: Page, typed: Path) -> None:
    """And the picture comes back by itself."""
    with context.expect_page() as opened:
        desktop.locator(_STOPPED).get_by_test_id("start-server").click()
    opened.value.wait_for_url(re.compile("/user/alice/"))
    desktop.locator("[data-phase=interrupted]").wait_for(state="detached")
    wait_for_desktop(desktop)
    typed.unlink()
    assert type_command(desktop, f"echo again > {typed}", typed).strip() == "again"


def test_from_the_hubs_login_page_to_typed_text(browser: Browser, hub: Hub) -> None:
    desktop_from_the_login(browser, hub, f"{hub.origin}/", "plain")


def test_the_same_behind_nginx_with_tls_and_a_path(
    browser: Browser, hub_behind_nginx: tuple[Hub, str]
) -> None:
    hub, origin = hub_behind_nginx
    desktop_from_the_login(browser, hub, f"{origin}/portal/", "nginx")
