"""JupyterLab that runs in a job: a desktop in that very job, through both of its doors."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.desktop import (
    connect,
    launch,
    session_card,
    type_command,
    wait_for_desktop,
)
from tests.browser.viewer import close_tool, look_at_the_connection, open_tool, use_the_bar
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.ports import free_port
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import run_as
from tests.support import axe
from tests.support.chromium import keep
from tests.support.cli import Session, UserCli
from tests.support.waiting import PATIENCE, wait_for


@dataclass(frozen=True)
class JobLab:
    """A JupyterLab in a job."""

    url: str
    token: str

    def answers(self) -> bool:
        address = f"{self.url}api/status?token={self.token}"
        try:
            return bool(urllib.request.urlopen(address, timeout=PATIENCE).status == 200)
        except OSError:
            return False

    def launcher(self, context: BrowserContext) -> Page:
        """JupyterLab's launcher, with all cards that there will be."""
        page = context.new_page()
        page.goto(f"{self.url}lab?token={self.token}&reset")
        page.locator(".jp-LauncherCard", has_text="Moonlight Desktop").first.wait_for()
        page.wait_for_load_state("networkidle")
        return page


@dataclass(frozen=True)
class Labs:
    """Two of them in one job: with our server extension, and with jupyter-server-proxy alone."""

    job_id: str
    ours: JobLab
    proxy: JobLab
    cli: UserCli
    home: Path


def _serves(process: psutil.Process, labs: Labs) -> bool:
    """Whether it is what jupyter-server-proxy has started."""
    argv = process.info["cmdline"] or []
    return process.info["username"] == labs.cli.user.name and "--socket" in argv


def of_job(labs: Labs) -> list[Session]:
    return [s for s in labs.cli.sessions() if s["slurm_job_id"] == labs.job_id]


def see_it_start(page: Page) -> None:
    """Its steps, or the desktop where that was there before anybody could look."""
    page.locator("[data-step=xserver], [data-testid=desktop-frame]").first.wait_for()


def _opens(page: Page, address: str) -> bool:
    answer = page.goto(address)
    return answer is not None and answer.status == 200


def see_what_is_too_large(page: Page, labs: Labs) -> None:
    """jupyter-server-proxy holds an answer whole, and none that is larger than this."""
    for name, size in (("fits.bin", 100 << 20), ("does-not.bin", (100 << 20) + 1)):
        made = run_as(
            labs.cli.user, ["truncate", "-s", str(size), str(labs.home / "Desktop" / name)]
        )
        assert made.returncode == 0, made.stderr
    open_tool(page, "files")
    expect(page.get_by_role("button", name="Fetch fits.bin")).to_be_visible()
    expect(page.get_by_test_id("too-large-file")).to_have_text(re.compile("does-not.bin"))
    expect(page.get_by_test_id("too-large")).to_contain_text(
        "Files over 104.9 MB cannot be fetched"
    )
    axe.check(page, "proxy-files")
    close_tool(page)


@pytest.fixture
def labs(slurm: SlurmCluster, slurm_users: SlurmUsers) -> Iterator[Labs]:
    alice = slurm_users.alice
    cli = UserCli(alice, {"SLURM_CONF": str(slurm.slurm_conf), "MOONLIGHT_HPC_SCHEDULER": "slurm"})
    without = alice.home / "without-our-extension"
    (without / "jupyter_server_config.d").mkdir(parents=True)
    switch = {"ServerApp": {"jpserver_extensions": {"moonlight_jupyter": False}}}
    (without / "jupyter_server_config.d" / "moonlight_jupyter.json").write_text(json.dumps(switch))
    exports = {**cli.env, "JUPYTER_TOKEN": secrets.token_urlsafe(16)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    found = []
    for number, config in enumerate(("", f"JUPYTER_CONFIG_DIR={without} ")):
        port = free_port()
        argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
        argv += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--LabApp.news_url=None"]
        lines.append(f"{config}{shlex.join(argv)} &> {alice.home}/lab-in-job-{number}.log &")
        found.append(JobLab(f"http://127.0.0.1:{port}/", exports["JUPYTER_TOKEN"]))
    script = "\n".join(["#!/bin/bash", "cd", *lines, "wait", ""])
    options = ["--gres=gpu:1", "--cpus-per-task=2", "--mem=3G", "--time=30"]
    job_id = str(slurm.submit(alice, script, *options))
    for lab in found:
        wait_for(lab.answers, interval=0.2)
    yield Labs(job_id, *found, cli, alice.home)
    slurm.heal()


def test_a_desktop_in_jupyters_own_job_from_either_launcher_card_to_typed_text(
    slurm: SlurmCluster, labs: Labs, context: BrowserContext
) -> None:
    launcher = labs.ours.launcher(context)
    cards = launcher.locator(".jp-LauncherCard", has_text="Moonlight Desktop")
    assert cards.count() == 1
    with context.expect_page() as opened:
        cards.click()
    page = opened.value
    choice = page.locator("[data-testid=where]")
    choice.wait_for()
    node = slurm.job(labs.job_id)["NodeList"]
    assert f"{node}, 2 CPUs, 3 GB, 1 GPU" in choice.inner_text()
    assert choice.locator("input[value=here]").is_checked()
    keep(page, "8-this-job")
    session_id = launch(page)
    desktop = connect(context, page, session_id)
    typed = labs.home / "typed-here.txt"
    command = "echo here-$SLURM_JOB_ID-$JUPYTER_TOKEN | tee ~/typed-here.txt"
    assert type_command(desktop, command, typed).strip() == f"here-{labs.job_id}-"
    card = session_card(page, session_id)
    assert "shared with JupyterLab" in card.locator("[data-testid=resources]").inner_text()
    [session] = of_job(labs)
    assert (session["door"], session["way"]) == ("jupyterlab", "guest")
    card.locator("[data-testid=stop]").click()
    page.locator("[data-testid=stop-confirm]").click()
    session_card(page, session_id, "cancelled").wait_for()
    assert slurm.job(labs.job_id)["JobState"] == "RUNNING"

    # A link of another site brings the user here with his login, and starts nothing.
    elsewhere = context.new_page()
    elsewhere.set_content(f'<a href="{labs.proxy.url}moonlight-desktop/">A prize!</a>')
    launcher = labs.proxy.launcher(context)  # which logs in
    elsewhere.get_by_text("A prize!").click()
    elsewhere.locator("main[data-page=idle] [data-testid=start]").wait_for()
    assert len(of_job(labs)) == 1
    elsewhere.close()

    cards = launcher.locator(".jp-LauncherCard", has_text="Moonlight Desktop")
    assert cards.count() == 1
    with context.expect_page() as opened:
        cards.click()
    proxied = opened.value
    see_it_start(proxied)
    keep(proxied, "9-proxy-steps")
    wait_for_desktop(proxied)
    typed = labs.home / "typed-proxied.txt"
    command = "echo proxied-$SLURM_JOB_ID | tee ~/typed-proxied.txt"
    assert type_command(proxied, command, typed).strip() == f"proxied-{labs.job_id}"
    use_the_bar(proxied)
    open_tool(proxied, "clipboard")
    proxied.get_by_test_id("clipboard-text").fill("through jupyter-server-proxy")
    proxied.get_by_test_id("clipboard-send").click()
    proxied.get_by_test_id("clipboard-message").get_by_text("has this text").wait_for()
    close_tool(proxied)
    see_what_is_too_large(proxied, labs)
    look_at_the_connection(proxied)
    keep(proxied, "10-proxy-desktop")
    [guest] = [s for s in of_job(labs) if s["session_id"] != session_id]
    assert (guest["door"], guest["way"]) == ("proxy", "guest")
    # The next visit finds it again, also from another process, and its end is told with its reason.
    [server] = [p for p in psutil.process_iter(["username", "cmdline"]) if _serves(p, labs)]
    server.terminate()
    server.wait()
    again = context.new_page()
    # Until the process is there again jupyter-server-proxy answers with an error of its own.
    wait_for(lambda: _opens(again, f"{labs.proxy.url}moonlight-desktop/"), interval=0.2)
    wait_for_desktop(again)
    assert len(of_job(labs)) == 2
    labs.cli.stop(guest["session_id"])
    ended = again.get_by_test_id("ended-page")
    ended.get_by_text("You stopped it.").wait_for()
    keep(again, "10-proxy-ended")
    again.get_by_test_id("start-again").click()
    see_it_start(again)
    assert len(of_job(labs)) == 3
    assert slurm.job(labs.job_id)["JobState"] == "RUNNING"
