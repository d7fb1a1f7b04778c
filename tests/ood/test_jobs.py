"""The app's job in a real Slurm: put together, submitted and shown as Open OnDemand does it."""

from __future__ import annotations

import json
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from moonlight_spawner.ood.install import install
from moonlight_spawner.ood.portal import read_portal
from moonlight_spawner.site.options import MoonlightSite
from playwright.sync_api import BrowserContext, Page

from tests.browser.desktop import DESKTOP_COLOURS, type_command
from tests.browser.korean import all_is_korean
from tests.browser.viewer import (
    carry_files,
    close_tool,
    look_at_the_connection,
    open_tool,
    show_it_in_two_windows,
    use_the_bar,
)
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.processes import of_user
from tests.cluster.slurm import SlurmCluster
from tests.support.apache import Apache
from tests.support.chromium import chromium, colours, keep, person
from tests.support.cli import UserCli
from tests.support.lab import Lab
from tests.support.waiting import PATIENCE, wait_for

from .ondemand import Card, Job, OnDemand, change_settings, command
from .test_templates import Tags

SMALL = {"hours": "1", "gpus": "1", "cores": "2", "memory": "2", "resolution": "1280x720"}


@pytest.fixture
def cli(slurm: SlurmCluster, slurm_users: SlurmUsers) -> Iterator[UserCli]:
    """alice's command line, with the settings that the nodes have, too."""
    alice = slurm_users.alice
    config = alice.home / "moonlight.json"
    settings = {"scheduler": "slurm", "sessions_dir": str(alice.home / "sessions"), "logs_dir": ""}
    settings |= {
        "sandboxes_dir": str(alice.home / "boxes"),
        "images_dir": str(alice.home / "images"),
    }
    config.write_text(json.dumps({"MoonlightSite": settings}))
    config.chmod(0o644)
    one = UserCli(alice, {"SLURM_CONF": str(slurm.slurm_conf), "MOONLIGHT_HPC_CONFIG": str(config)})
    yield one
    slurm.heal()
    one.stop_all()


@pytest.fixture
def dashboard(slurm: SlurmCluster, cli: UserCli, apps: Path) -> OnDemand:
    """Hers, with the app as root has installed it."""
    app = apps / "moonlight"
    install(app, MoonlightSite(), read_portal(app / "no-portal"))
    change_settings(app, command=str(command()), cluster="lab")
    change_settings(app, config=cli.env["MOONLIGHT_HPC_CONFIG"], node_proxy="secure_node")
    return OnDemand(slurm, cli.user, app)


@pytest.fixture(scope="module")
def portal() -> Iterator[Apache]:
    """The web server of a portal that leads to this machine and to no other."""
    with Apache(re.escape(socket.gethostname()), silence=10) as one:
        yield one


def processes(job: Job) -> list[str]:
    """What runs of the job's user, and did not before it."""
    running = of_user(job.dashboard.user.uid)
    return [words for pid, words in running.items() if pid not in job.dashboard.others]


def set_on_nodes(cli: UserCli, **settings: object) -> None:
    """Settings of Moonlight HPC that nodes and web host read."""
    path = Path(cli.env["MOONLIGHT_HPC_CONFIG"])
    old = json.loads(path.read_text())["MoonlightSite"]
    path.write_text(json.dumps({"MoonlightSite": {**old, **settings}}))


def hold_x_server(cli: UserCli) -> Path:
    """X servers on nodes begin once the file that is given is there: a start stands still until then."""
    begin, program = cli.user.home / "begin", cli.user.home / "held-xvfb"
    wait = f"until [ -e {begin} ]; do sleep 0.1; done"
    program.write_text(f'#!/bin/sh\n{wait}\nexec Xvfb "$@" -screen 0 1280x720x24\n')
    program.chmod(0o755)
    set_on_nodes(cli, x_server_command=[str(program)])
    return begin


def test_a_job_is_running_when_its_desktop_opens_and_ends_in_order(
    dashboard: OnDemand, cli: UserCli, portal: Apache
) -> None:
    begin = hold_x_server(cli)
    job = dashboard.launch(**SMALL)
    seen = wait_for(lambda: "Start the X server" in (card := job.card()).parts["info"] and card)
    assert seen.status == "Starting"
    assert not job.staged.joinpath("connection.yml").exists()
    begin.touch()
    card = job.wait("Running")
    session = cli.get(job.session())
    assert (session["door"], session["way"], session["status"]) == ("ood", "owning", "running")
    assert session["slurm_job_id"] == str(job.job_id)
    assert "Linux desktop (XFCE)" in Tags(card.parts["info"]).words
    token = cli.directory(job.session()).joinpath("token").read_text()
    assert card.connect["password"] == token
    assert stat.S_IMODE(job.staged.stat().st_mode) == 0o700
    # Nobody but connection.yml has the token, nor what Slurm shows of the job.
    holders = [path.name for path in job.staged.iterdir() if token in path.read_text()]
    assert holders == ["connection.yml"]
    assert token not in dashboard.slurm.scontrol("show", "job", str(job.job_id))

    # The portal's proxies to https are let in; this session speaks no http.
    opened = [login(portal, proxy, card) for proxy in ("secure_node", "secure_rnode", "node")]
    assert [answer.status_code for answer in opened] == [303, 303, 403]
    for proxy, answer in zip(("secure_node", "secure_rnode"), opened, strict=False):
        at = f"/{proxy}/{card.connect['host']}/{card.connect['port']}"
        assert f"Path={at};" in answer.headers["set-cookie"] + ";"
        assert urljoin(f"{at}/login", answer.headers["location"]) == f"{at}/"

    dashboard.slurm.run_as(cli.user, ["scancel", str(job.job_id)], check=True)
    card = job.wait("Completed")
    wait_for(lambda: not processes(job))
    ended = cli.get(job.session())
    assert ended["reason_code"] == "CancelledOutside"  # by the agent, which was not killed
    assert ended["reason"] in Tags(card.parts["completed"]).words
    assert "AgentKilled" not in job.output()


def test_only_the_batch_shell_is_told_to_end_while_the_desktop_starts(
    dashboard: OnDemand, cli: UserCli
) -> None:
    hold_x_server(cli)
    job = dashboard.launch(**SMALL)
    wait_for(lambda: "Claim a display" in job.card().parts["info"])
    argv = ["scancel", "--batch", "--signal=TERM", str(job.job_id)]
    dashboard.slurm.run_as(cli.user, argv, check=True)
    card = job.wait("Completed")
    wait_for(lambda: not processes(job))
    assert not job.staged.joinpath("connection.yml").exists()
    ended = cli.get(job.session())
    assert (ended["status"], ended["reason_code"]) == ("cancelled", "CancelledOutside")
    assert ended["reason"] in Tags(card.parts["completed"]).words
    assert not job.staged.joinpath(".gateway").exists()


def test_a_start_that_fails_ends_the_job_with_its_reason_on_the_card(
    dashboard: OnDemand, cli: UserCli
) -> None:
    set_on_nodes(cli, max_hours=0.5, hours=0.5)
    refused = dashboard.launch(**SMALL)
    card = refused.wait("Completed")
    words = "hours is 1, but this site allows 0.1 to 0.5"
    assert words in Tags(card.parts["completed"]).words
    assert words in refused.output()
    assert dashboard.slurm.job(refused.job_id)["JobState"] == "FAILED"

    set_on_nodes(cli, max_hours=8, hours=1, x_server_command=["/nowhere/Xorg"])
    failed = dashboard.launch(**SMALL)
    card = failed.wait("Completed")
    seen = Tags(card.parts["completed"])
    ended = cli.get(failed.session())
    assert ended["status"] == "failed" and ended["reason"]
    assert ended["reason"] in seen.words and "pre" in seen.names()
    assert "The end of its log" in failed.output()
    assert not failed.staged.joinpath("connection.yml").exists()
    assert dashboard.slurm.job(failed.job_id)["JobState"] == "FAILED"


def test_from_the_card_through_apache_to_typed_text_and_stopped_at_another_door(
    dashboard: OnDemand, cli: UserCli, portal: Apache
) -> None:
    change_settings(dashboard.app, node_proxy="node")
    job = dashboard.launch(**SMALL)
    card = job.wait("Running")
    at = f"/node/{card.connect['host']}/{card.connect['port']}"
    session_id, token = job.session(), card.connect["password"]
    with chromium() as browser, person(browser, ignore_https_errors=True) as context:
        page = context.new_page()
        body = "<h1>My Interactive Sessions</h1>" + "".join(card.parts[p] for p in ("info", "view"))
        page.goto(portal.page("pun/sys/dashboard/sessions.html", body))
        keep(page, "11-ood-card")
        korean = job.card("ko").parts
        body = f"<h1>내 대화형 세션</h1>{korean['info']}{korean['view']}"
        page.goto(portal.page("pun/sys/dashboard/korean.html", body))
        all_is_korean(page, "11-ood-card-ko")
        keep(page, "11-ood-card-ko")
        page.go_back()
        said_of_the_image(page, dashboard)
        desktop = opened(context, page)
        assert desktop.url == f"{portal.origin}{at}/"
        addresses = []
        context.on("request", lambda request: addresses.append(request.url))
        result = cli.user.home / "typed-in-ood.txt"
        command = "echo ood-$SLURM_JOB_ID | tee ~/typed-in-ood.txt"
        assert type_command(desktop, command, result).strip() == f"ood-{job.job_id}"
        use_the_bar(desktop)
        look_at_the_connection(desktop)
        carry_files(desktop, cli.user.home)
        open_tool(desktop, "clipboard")
        desktop.get_by_test_id("clipboard-text").fill("over the node's own gateway")
        desktop.get_by_test_id("clipboard-send").click()
        desktop.get_by_test_id("clipboard-message").get_by_text("has this text").wait_for()
        close_tool(desktop)
        keep(desktop, "12-ood-desktop")
        [cookie] = [c for c in context.cookies() if c["name"].startswith("moonlight_")]
        assert (cookie["path"], cookie["sameSite"], cookie["httpOnly"]) == (at, "Strict", True)
        assert cookie["secure"]
        assert not any(token in address for address in addresses)
        desktop.close()

        # The same desktop through the portal's other proxies, each below its own address.
        for proxy in ("rnode", "secure_node", "secure_rnode"):
            other = card.parts["view"].replace('action="/node/', f'action="/{proxy}/')
            page.goto(portal.page("pun/sys/dashboard/sessions.html", other))
            desktop = opened(context, page)
            assert desktop.url == portal.origin + at.replace("/node/", f"/{proxy}/") + "/"
            if proxy != "secure_rnode":
                desktop.close()
        result = cli.user.home / "typed-behind-rnode.txt"
        assert type_command(desktop, "echo rnode > ~/typed-behind-rnode.txt", result) == "rnode\n"
        desktop = show_it_in_two_windows(context, desktop)

        # It is the user's at every door; stopped at one, it has ended at all.
        assert session_id in cli.run("session", "list").stdout
        with Lab(cli.user, cli.env) as lab:
            [shown] = [s for s in lab.api("sessions")["sessions"] if s["session_id"] == session_id]
            assert (shown["status"], shown["door"], shown["way"]) == ("running", "ood", "owning")
            assert shown["web_url"]  # what Connect opens
            lab.api(f"sessions/{session_id}", "DELETE")
        # On the desktop, too: the gateway says it before it goes.
        desktop.get_by_test_id("ended-page").get_by_text("You stopped it.").wait_for()
        assert desktop.get_by_test_id("start-again").count() == 0  # nobody is left to do it
        keep(desktop, "14-ood-ended")
        card = job.wait("Completed")
        assert "You stopped it." in Tags(card.parts["completed"]).words
        wait_for(lambda: not processes(job))
        page.goto(portal.page("pun/sys/dashboard/sessions.html", card.parts["completed"]))
        keep(page, "13-ood-completed")


def said_of_the_image(page: Page, dashboard: OnDemand) -> None:
    """What the form's own script does, beside the fields as Open OnDemand makes them."""
    page.evaluate(
        """() => document.body.insertAdjacentHTML('afterbegin',
          `<select id="batch_connect_session_context_image">
             <option value="a" data-description="The <b>first</b>">A</option>
             <option value="b">B</option></select>`)"""
    )
    page.add_script_tag(content=(dashboard.app / "form.js").read_text())
    note = page.locator("select + small")
    assert note.inner_text() == "The <b>first</b>"
    page.locator("select").select_option("b")
    assert note.inner_text() == ""


def opened(context: BrowserContext, page: Page) -> Page:
    """Click the card's button; the page with the desktop in it."""
    with context.expect_page() as new:
        page.get_by_text("Open the desktop").click()
    wait_for(lambda: colours(new.value.screenshot()) > DESKTOP_COLOURS, interval=0.3)
    return new.value


def login(portal: Apache, proxy: str, card: Card) -> httpx.Response:
    """What the card's form is answered."""
    at = f"{portal.origin}/{proxy}/{card.connect['host']}/{card.connect['port']}/login"
    data = {"token": card.connect["password"]}
    return httpx.post(at, data=data, verify=False, timeout=PATIENCE)
