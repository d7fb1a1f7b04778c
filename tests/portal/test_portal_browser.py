"""From the portal's login page to text typed on a desktop, in a browser, through nginx with TLS."""

from __future__ import annotations

import pwd
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.browser import listed
from tests.browser.desktop import connect, launch, type_command
from tests.support.chromium import keep, person
from tests.support.waiting import PATIENCE, wait_for

from .login_page import log_in, login_page
from .place import SLOWLY, Place

ROOT = Path(__file__).resolve().parents[2]


def test_from_the_login_to_typed_text_and_over_a_restart(browser: Browser, place: Place) -> None:
    user = place.bob
    place.issuer.page = login_page({str(user): place.token(user)})
    before, after = user.home / "before.txt", user.home / "after.txt"
    with person(browser, "ko-KR", ignore_https_errors=True) as context:
        page = log_in(context, place.origin, str(user))
        assert "실행" in page.locator("[data-testid=launch]").inner_text()
        session_id = launch(page)
        desktop = connect(context, page, session_id)
        assert type_command(desktop, f"whoami > {before}", before).strip() == str(user)
        keep(desktop, "portal-ko-KR")
        mine = {"user": str(user), "session": session_id}
        assert place.audited(action="stream_opened", **mine)
        told = httpx.get(f"http://127.0.0.1:{place.port}/metrics", timeout=PATIENCE).text
        assert float(re.findall(r"(?m)^moonlight_streams_open (\S+)", told)[0]) >= 1
        for direction in ("to_browser", "from_browser"):  # while it runs, not only when it is over
            counted = re.findall(
                rf'moonlight_relayed_bytes_total{{direction="{direction}"}} (\S+)', told
            )
            assert float(counted[0]) > 100, direction
        assert place.stop() == 0
        assert re.search("and [1-9][0-9]* streams go on", place.log.read_text())
        (*_, over) = place.audited(action="stream_closed", **mine)
        assert over["bytes_to_browser"] > 100 and over["seconds"] > 0
        place.start()  # the page finds the next service by itself
        assert type_command(desktop, f"whoami > {after}", after).strip() == str(user)
        page.bring_to_front()
        listed.read_its_log(page, session_id)
        with place.client(place.token(user)) as client:
            one = f"/api/moonlight/sessions/{session_id}"
            client.delete(one)
            wait_for(lambda: client.get(one).json()["ended_at"], interval=SLOWLY)
        listed.read_on_after_its_end(page, session_id)


@dataclass
class Demo:
    """`make demo-portal`, and what it said."""

    process: subprocess.Popen[str]
    said: str
    origin: str
    users: list[str]

    def end(self) -> str:
        """By Ctrl-C; what it said then."""
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=PATIENCE)
        return said


@pytest.fixture
def demo() -> Iterator[Demo]:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools/demo_portal.py")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout
        said = ""
        while "Ctrl-C here" not in said:
            line = process.stdout.readline()
            assert line, f"it has ended: {said}"
            said += line
        link = re.search(r"(https://127\.0\.0\.1:\d+)/moonlight/\n", said)
        names = re.search(r"Users: (\S+), (\S+); admin: (\S+)\.", said)
        assert link and names, said
        yield Demo(process, said, link[1], list(names.groups()))
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def test_the_demo_is_a_portal_and_leaves_nothing(browser: Browser, demo: Demo) -> None:
    """Its desktops are jobs of a real Slurm."""
    alice = pwd.getpwnam(demo.users[0])
    typed = Path(alice.pw_dir, "typed.txt")
    places = {Path(word).parent for word in re.findall(r"/var/tmp/\S+", demo.said)}
    assert len(places) == 3 and all(map(Path.exists, places))
    log = re.search(r"What it logs:  (\S+)", demo.said)
    assert log
    with person(browser, "en-US", ignore_https_errors=True) as context:
        page = log_in(context, demo.origin, alice.pw_name)
        assert "Launch" in page.locator("[data-testid=launch]").inner_text()
        desktop = connect(context, page, launch(page))
        text = type_command(desktop, f"echo $USER $SLURM_JOB_PARTITION > {typed}", typed)
        assert text.split() == [alice.pw_name, "viz"]
        # Only where its records are in Redis.
        assert "this service makes the portal's rounds" in Path(log[1]).read_text()
        keep(desktop, "portal-en-US")
        assert "Ending the demo" in demo.end()
    assert demo.process.returncode == 0
    assert not any(map(Path.exists, places)) and not Path(alice.pw_dir).exists()
    for name in demo.users:
        with pytest.raises(KeyError):
            pwd.getpwnam(name)
    marks = [name[:-1] for name in demo.users]
    assert not [rule for rule in Path("/etc/sudoers.d").iterdir() if rule.name[:-1] in marks]
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", int(demo.origin.rpartition(":")[2]))) != 0
