"""A Jupyter server and a desktop in one Slurm job, from a Hub: our spawner on the real cluster."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from moonlight_spawner.hub import MoonlightSpawner
from moonlight_spawner.hub.options import check, from_form
from moonlight_spawner.hub.slurm import HubSlurm
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.scheduler.base import Snapshot
from moonlight_spawner.scheduler.slurm_queue import SlurmQueue
from moonlight_spawner.scheduler.slurm_words import Asked
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.settings import load_site
from tornado import web

from tests.browser.desktop import connect, open_page, session_card, type_command, wait_running
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.processes import of_user
from tests.cluster.slurm import SlurmCluster
from tests.support.chromium import chromium, keep, person
from tests.support.cli import UserCli
from tests.support.lab import Lab
from tests.support.waiting import PATIENCE, wait_for

from .hub import Hub
from .slurm_hub import HubUser, log_in, slurm_hub


@pytest.fixture(scope="module")
def hub(
    slurm_cluster: SlurmCluster, slurm_users: SlurmUsers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("slurm-hub")
    with slurm_hub(slurm_cluster, slurm_users, directory) as one:
        yield one


@pytest.fixture
def alice(hub: Hub, slurm_cluster: SlurmCluster, slurm_users: SlurmUsers) -> Iterator[HubUser]:
    user = HubUser(hub, slurm_users.alice)
    yield user
    slurm_cluster.heal()


def test_from_the_hubs_form_to_typed_text_and_to_the_end(
    hub: Hub, slurm_cluster: SlurmCluster, slurm_users: SlurmUsers
) -> None:
    bob = slurm_users.bob
    with chromium() as browser, person(browser) as context:
        page = context.new_page()
        log_in(page, hub, bob)
        page.goto(f"{hub.origin}/hub/spawn")
        page.fill("#moonlight-cpus", "2")
        keep(page, "hub-form")
        page.click("#spawn_form [type=submit]")
        page.wait_for_url(re.compile(f"/user/{bob.name}/moonlight/"))
        # What other tests started for him has ended, and is listed still.
        lives = ",".join(f"[data-status={one}]" for one in ("pending", "starting", "running"))
        card = page.locator(f"[data-testid=session-card]:is({lives})")
        session_id = card.get_attribute("data-session-id") or ""
        wait_running(page, session_id)
        keep(page, "hub-desktop-card")
        desktop = connect(context, page, session_id)
        typed = bob.home / "typed-hub.txt"
        text = type_command(desktop, "echo hub-$USER-$SLURM_JOB_ID | tee ~/typed-hub.txt", typed)
        job = re.fullmatch(f"hub-{bob.name}-([0-9]+)", text.strip())
        assert job
        facts = slurm_cluster.job(job[1])
        assert (facts["QOS"], facts["Partition"], facts["NumCPUs"]) == ("moonlight", "viz", "2")

        # At his other door, where it is as any session; its end there is seen at this one. A guest:
        # the server is left, whose end is the job's.
        with Lab(bob, {"SLURM_CONF": str(slurm_cluster.slurm_conf)}) as lab:
            elsewhere = open_page(context, lab)
            wait_running(elsewhere, session_id)
            connect(context, elsewhere, session_id).close()
            keep(elsewhere, "hub-session-elsewhere")
            session_card(elsewhere, session_id).locator("[data-testid=stop]").click()
            elsewhere.locator("[data-testid=stop-confirm]").click()
            session_card(page, session_id, "cancelled").wait_for()
        assert slurm_cluster.job(job[1])["JobState"] == "RUNNING"
        page.goto(f"{hub.origin}/hub/home")
        page.click("#stop")
        slurm_cluster.wait_job(job[1], ("CANCELLED", "COMPLETED", "FAILED"))


def test_a_server_with_its_desktop_outlives_the_hub_and_ends_without_a_trace(
    hub: Hub, alice: HubUser, slurm_cluster: SlurmCluster
) -> None:
    before = of_user(alice.user.uid)  # such as her JupyterLab of other tests
    alice.start()
    (job,) = alice.jobs(slurm_cluster)
    (session,) = wait_for(lambda: live(alice))  # the server does not wait for it
    assert (session["door"], session["way"], session["slurm_job_id"]) == ("hub", "guest", job)
    wait_for(lambda: live(alice)[0]["status"] == "running", interval=0.2)
    token_is_nowhere(hub, alice, slurm_cluster, job)
    with chromium() as browser, person(browser, locale="ko-KR") as context:
        page = context.new_page()
        log_in(page, hub, alice.user)
        page.goto(f"{hub.origin}{session['web_url']}")
        page.locator("[data-testid=desktop-frame]").wait_for()
        end_without_a_trace(hub, alice, slurm_cluster, job, session, before)
        # It does not say that the desktop runs on, which was in the job of that server.
        banner = page.locator("[data-testid=connection-banner][data-cause=stopped]")
        banner.wait_for()
        assert "함께 끝났습니다" in banner.inner_text()
        start = banner.get_by_test_id("start-server").get_attribute("href")
        assert start == f"/hub/spawn/{alice.user.name}"
        keep(page, "hub-guest-ended")


def end_without_a_trace(
    hub: Hub,
    alice: HubUser,
    slurm_cluster: SlurmCluster,
    job: str,
    session: dict[str, object],
    before: Mapping[int, str],
) -> None:

    hub.kill()
    hub.start()
    alice = HubUser(hub, alice.user)
    assert (alice.server() or {}).get("ready") and alice.jobs(slurm_cluster) == [job]
    assert [s["session_id"] for s in live(alice)] == [session["session_id"]]

    assert alice.api("DELETE", alice.servers).status_code in (202, 204)
    wait_for(lambda: alice.server() is None, interval=0.2)
    wait_for(lambda: not alice.jobs(slurm_cluster), interval=0.2)
    wait_for(lambda: not of_user(alice.user.uid).keys() - before.keys())
    # Both have heard of it and were not just killed.
    log = (alice.user.home / f".jupyterhub-{job}.log").read_text("utf-8", "replace")
    assert "received signal 15" in log.lower(), log
    cli = UserCli(alice.user, {"SLURM_CONF": str(slurm_cluster.slurm_conf)})
    [ended] = [s for s in cli.sessions() if s["session_id"] == session["session_id"]]
    assert ended["status"] == "cancelled" and "job that the desktop ran in ended" in ended["reason"]


def live(user: HubUser) -> list[dict[str, object]]:
    page = user.http.get(f"/user/{user.user.name}/api/moonlight/sessions", headers=_by_page(user))
    return [s for s in page.json()["sessions"] if not s["ended_at"]]


def _by_page(user: HubUser) -> dict[str, str]:
    """What the page of the user's own server sends with each call."""
    server = f"/user/{user.user.name}/"
    user.http.get(f"{server}moonlight/")
    found = [c for c in user.http.cookies.jar if c.name == "_xsrf" and c.path == server]
    return {"X-XSRFToken": (found[0].value or "") if found else ""}


def token_is_nowhere(hub: Hub, user: HubUser, cluster: SlurmCluster, job: str) -> None:
    """The server's token of the Hub: in the environment of the server itself, and nowhere else."""
    tokens = set()
    for process in psutil.process_iter(["name", "uids", "environ"]):
        if process.info["uids"].real == user.user.uid:
            found = (process.info["environ"] or {}).get("JUPYTERHUB_API_TOKEN")
            assert not found or "xfce" not in process.info["name"], "the desktop has the token"
            tokens |= {found} if found else set()
    (token,) = tokens
    assert token not in hub.log()
    assert token not in cluster.scontrol("show", "job", "-dd", job)
    assert not any(
        token in " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])
    )
    logs = [*user.user.home.glob(".jupyterhub-*.log"), *user.user.home.rglob("*.log")]
    assert all(
        log.stat().st_mode & 0o777 == 0o600 for log in user.user.home.glob(".jupyterhub-*.log")
    )
    assert logs and not any(token in log.read_text("utf-8", "replace") for log in logs)


@pytest.mark.parametrize(
    "body",
    [
        {"qos": "normal"},
        {"gres": "gpu:8"},
        {"prologue": "touch /tmp/owned"},
        {"options": "--uid=0"},
        {"batch_script": "#!/bin/sh"},
        {"cmd": "/bin/sh"},
        {"environment": {"LD_PRELOAD": "/tmp/x.so"}},
        {"homedir": "/root"},
        {"cpus": "2\n#SBATCH --qos=normal"},
        {"image": "../../etc/passwd"},
        {"desktop": "$(id)"},
        {"keyboard": "us; id"},
    ],
    ids=lambda body: next(iter(body)),
)
def test_no_option_reaches_what_the_site_has_not_opened(
    alice: HubUser, slurm_cluster: SlurmCluster, body: dict[str, object]
) -> None:
    answer = alice.api("POST", alice.servers, body)
    if answer.status_code == 202:  # a busy Hub answers first, and tells the page afterwards
        said = next(event["message"] for event in alice.progress() if event.get("failed"))
    else:
        assert answer.status_code == 400
        said = answer.json()["message"]
    assert next(iter(body)) in said
    assert alice.jobs(slurm_cluster) == []


def test_a_wrong_value_is_told_on_the_hubs_own_form(
    alice: HubUser, slurm_cluster: SlurmCluster
) -> None:
    page = alice.submit_form(hours="99", cpus="many", desktop="yes")
    assert page.status_code == 400 and 'id="moonlight-hours"' in page.text
    assert "hours is 99" in page.text and "cpus is" in page.text and "whole number" in page.text
    assert alice.jobs(slurm_cluster) == []


def test_a_server_may_tell_the_hub_its_port_and_nothing_else(hub: Hub, alice: HubUser) -> None:
    alice.start({"desktop": False})
    token = next(
        token
        for process in psutil.process_iter(["uids", "environ"])
        if process.info["uids"].real == alice.user.uid
        if (token := (process.info["environ"] or {}).get("JUPYTERHUB_API_TOKEN"))
    )
    with httpx.Client(base_url=hub.origin, timeout=PATIENCE, trust_env=False) as server:
        header = {"Authorization": f"token {token}"}
        for body in ({"exec_prefix": "id"}, {"port": 8000, "cmd": ["id"]}, {"port": "x"}, ["port"]):
            answer = server.post("/hub/api/batchspawner", headers=header, json=body)
            assert answer.status_code == 400, body
    assert (alice.server() or {}).get("ready")
    assert alice.api("DELETE", alice.servers).status_code in (202, 204)


def test_a_file_among_the_forms_fields_is_refused_by_name() -> None:
    """As JupyterHub hands one on."""
    chosen = from_form({"cpus_file": [{"filename": "x", "body": b"x"}], "cpus": ["2"]})
    with pytest.raises(InvalidRequest, match="There is no option cpus_file"):
        check(chosen, MoonlightSite(), [])


@pytest.mark.parametrize("name", ["#0", "#1000", "-s"])
def test_what_sudo_takes_for_a_number_or_an_option_is_nobodys_name(name: str) -> None:
    """Where a site has set `req_homedir`, nobody else looks whether the account exists."""
    user = SimpleNamespace(name=name, settings={})
    spawner = MoonlightSpawner(user=user, req_homedir="/nowhere")
    with pytest.raises(web.HTTPError, match="is no login name"):
        spawner._slurm()


def test_a_refusal_of_slurm_is_told_in_words(hub: Hub, slurm_users: SlurmUsers) -> None:
    carol = HubUser(hub, slurm_users.carol)
    said = carol.submit_form(desktop="yes").text
    if "QoS moonlight" not in said:  # a busy Hub answers first, and tells the page afterwards
        said = next(event["message"] for event in carol.progress() if event.get("failed"))
    assert "QoS moonlight" in said and "Ask your administrators" in said


def test_the_page_tells_why_it_waits_and_at_once_when_the_job_has_died(
    alice: HubUser, slurm_cluster: SlurmCluster
) -> None:
    slurm_cluster.scontrol("update", "PartitionName=viz", "State=DOWN")
    alice.submit_form(desktop="yes")
    events = alice.progress()
    assert next(e for e in events if "switched off" in e["message"])
    (job,) = alice.jobs(slurm_cluster)
    slurm_cluster.command(["scancel", job])
    end = next(e for e in events if e.get("failed"))
    assert f"job {job} ended as cancelled" in json.dumps(end)


def wait_in_the_queue(user: HubUser, cluster: SlurmCluster, **fields: str) -> None:
    cluster.scontrol("update", "PartitionName=viz", "State=DOWN")
    user.submit_form(**fields)
    assert next(e for e in user.progress() if "switched off" in e["message"])
    assert len(user.jobs(cluster)) == 1


def test_a_job_whose_hub_was_killed_while_it_waited_is_nobodys_and_ends(
    hub: Hub, alice: HubUser, slurm_cluster: SlurmCluster
) -> None:
    wait_in_the_queue(alice, slurm_cluster, desktop="yes")
    hub.kill()
    hub.start()
    wait_for(lambda: not alice.jobs(slurm_cluster), interval=0.2)
    alice = HubUser(hub, alice.user)
    wait_for(lambda: alice.server() is None, interval=0.2)


class ToldOfNobodys(HubSlurm):
    """As where jobs are private and the Hub is no operator: Slurm tells it of its own alone."""

    @property
    def queue(self) -> SlurmQueue:
        return SlurmQueue(str, Asked("viz", "moonlight"), 0.2, 5.0, whose="--user=root")


def test_where_jobs_are_private_their_user_is_asked(
    slurm_cluster: SlurmCluster, slurm_users: SlurmUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.slurm_conf))
    job = slurm_cluster.submit(slurm_users.alice, "#!/bin/sh\nexec sleep 600\n", "--hold")
    as_alice = ["sudo", "-n", "-E", "-u", slurm_users.alice.name]
    as_alice += ["env", f"SLURM_CONF={slurm_cluster.slurm_conf}"]
    slurm = ToldOfNobodys(load_site(), as_alice)

    async def look() -> tuple[JobInfo | None, Snapshot]:
        return await slurm.look(str(job))

    info, snapshot = asyncio.run(look())
    assert snapshot.stale_since is None
    assert info and (info.state, info.code) == (JobState.PENDING, "JobHeldUser")
    slurm_cluster.heal()


def test_servers_of_several_names_are_jobs_of_their_own(
    alice: HubUser, slurm_cluster: SlurmCluster
) -> None:
    alice.start({"desktop": False}, name="one")
    alice.start({"desktop": False}, name="two")
    jobs = alice.jobs(slurm_cluster)
    assert len(jobs) == 2
    page = alice.http.get(f"/user/{alice.user.name}/one/moonlight/").text
    assert f'"hubStart": "/hub/spawn/{alice.user.name}/one"' in page
    base = f"/hub/api/users/{alice.user.name}/servers"
    alice.api("DELETE", f"{base}/one")
    wait_for(lambda: len(alice.jobs(slurm_cluster)) == 1)
    assert (alice.server("two") or {}).get("ready")
    alice.api("DELETE", f"{base}/two")
    wait_for(lambda: not alice.jobs(slurm_cluster))


PROFILES = """
import batchspawner
from moonlight_spawner.hub import MoonlightSpawner
c.JupyterHub.spawner_class = "wrapspawner.ProfilesSpawner"
c.ProfilesSpawner.profiles = [
    ("A desktop", "desktop", MoonlightSpawner, {"req_partition": "open", "req_qos": "normal"}),
]
"""


def test_inside_profiles_of_wrapspawner(
    slurm_cluster: SlurmCluster, slurm_users: SlurmUsers, tmp_path: Path
) -> None:
    with slurm_hub(slurm_cluster, slurm_users, tmp_path, PROFILES) as hub:
        alice = HubUser(hub, slurm_users.alice)
        alice.submit_form(profile="desktop")
        wait_for(lambda: (alice.server() or {}).get("ready"), interval=0.2)
        (job,) = alice.jobs(slurm_cluster)
        hub.kill()
        hub.start()
        alice = HubUser(hub, slurm_users.alice)
        assert (alice.server() or {}).get("ready") and alice.jobs(slurm_cluster) == [job]
        facts = slurm_cluster.job(job)
        assert (facts["Partition"], facts["QOS"]) == ("open", "normal")
        wait_for(lambda: [s["status"] for s in live(alice)] == ["running"], interval=0.2)
        alice.api("DELETE", alice.servers)
        wait_for(lambda: not alice.jobs(slurm_cluster))

        slurm_cluster.scontrol("update", "PartitionName=open", "State=DOWN")
        alice.submit_form(profile="desktop")
        assert next(e for e in alice.progress() if "switched off" in e["message"])
        hub.kill()
        hub.start()
        wait_for(lambda: not alice.jobs(slurm_cluster), interval=0.2)
