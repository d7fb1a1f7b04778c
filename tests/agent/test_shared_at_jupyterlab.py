"""A desktop that one user of JupyterLab shows to another, each at his own server, in real browsers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tests.browser.desktop import type_command
from tests.browser.viewer import FRAME, close_tool, open_tool
from tests.cluster.users import TestUser
from tests.support import axe
from tests.support.chromium import chromium, keep, person
from tests.support.lab import Lab
from tests.support.waiting import wait_for

from .sessions import settings
from .test_shared_origin import HANDS_OF_A_VIEWER, wait_for_desktop

pytestmark = pytest.mark.usefixtures("whole_desktop")

# What an owner could make the guest's client do, if what he sends deceives it.
REACHES = """async () => {
  const tried = {};
  const attempt = async (name, work) => {
    try { tried[name] = String(await work()); } catch (e) { tried[name] = e.name; }
  };
  await attempt('origin', () => self.origin);
  await attempt('page', () => parent.document.title);
  await attempt('api', () => fetch('/api/contents', { credentials: 'include' }));
  await attempt('frame', () => new Promise((done, failed) => {
    const frame = document.createElement('iframe');
    frame.src = '/lab';
    frame.onload = () => {
      try { done(frame.contentDocument?.title ?? 'nothing'); } catch (e) { failed(e); }
    };
    document.body.append(frame);
  }));
  await attempt('top', () => { top.location = 'about:blank'; return 'went'; });
  await attempt('window', () => String(open('/lab')));
  return tried;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def owners(user: TestUser) -> Iterator[Lab]:
    with Lab(user, settings(user, sharing="control")) as lab:
        yield lab
        lab.stop_sessions()


@pytest.fixture
def colleagues(stranger: TestUser) -> Iterator[Lab]:
    with Lab(stranger, settings(stranger)) as lab:
        yield lab


def test_a_colleague_looks_on_and_is_given_control_at_his_own_server(
    owners: Lab, colleagues: Lab, browser: Browser, user: TestUser
) -> None:
    session_id = owners.api("sessions", "POST", {})["session_id"]
    wait_for(lambda: owners.api(f"sessions/{session_id}")["status"] == "running", interval=0.2)
    with person(browser) as one, person(browser) as other:
        owner, guest = one.new_page(), other.new_page()
        owner.goto(f"{owners.url}moonlight/sessions/{session_id}/?token={owners.token}")
        wait_for_desktop(owner)
        ready, said, heard = (user.home / f"{name}.txt" for name in ("ready", "said", "heard"))
        hears = f"read -r line; echo $line > {said}; read -r line; echo $line > {heard}"
        type_command(owner, f"echo ready > {ready}; {hears}", ready)
        text = invited(owner, "Bob")

        client = joined(guest, colleagues, text)
        row = owner.get_by_test_id("invitation")
        expect(row).to_contain_text("is here · look on")
        keep(owner, "sharing-lab")
        close_tool(owner)
        mark = owner.get_by_test_id("shared-mark")
        expect(mark).to_have_text("Shared with 1")

        # Neither by the page nor by a program in its place, through his own server.
        guest.mouse.click(640, 600)
        guest.keyboard.type("theirs\n")
        answered = client.evaluate(HANDS_OF_A_VIEWER)
        assert not {word for word in answered if "clipboard" in word}
        owner.locator(FRAME).focus()
        owner.keyboard.type("mine\n")
        wait_for(lambda: said.exists() and said.read_text())
        assert said.read_text() == "mine\n"

        guest.reload()
        client = shown(guest)
        mark.click()
        row.get_by_test_id("change-role").click()
        expect(row).to_contain_text("look on and control")
        expect(guest.get_by_test_id("guest-role")).to_have_text("You have control")
        wait_for(lambda: client.evaluate("window.webrtcInput.isInputAttached()"))
        guest.get_by_test_id("guest-frame").focus()
        guest.keyboard.type("theirs now\n")
        wait_for(lambda: heard.exists() and heard.read_text())
        assert heard.read_text() == "theirs now\n"
        guest.keyboard.press("Control+Alt+Shift+M")
        expect(guest.get_by_test_id("leave")).to_be_focused()

        # What the owner sends is of no origin at the colleague's server.
        assert client.evaluate(REACHES) == {
            "origin": "null",
            "page": "SecurityError",
            "api": "TypeError",
            "frame": "nothing",
            "top": "SecurityError",
            "window": "null",
        }
        row.get_by_test_id("end-invitation").click()
        expect(guest.get_by_test_id("sharing-over")).to_contain_text("has ended the sharing")
        expect(row).to_have_count(0)
        close_tool(owner)
        expect(mark).to_have_count(0)
        guest.get_by_test_id("invitation-text").fill(text)
        guest.get_by_test_id("join").click()
        expect(guest.get_by_test_id("general-error")).to_contain_text("counts no more")
    log = owners.log.read_text("utf-8", "replace") + colleagues.log.read_text("utf-8", "replace")
    assert "has joined a desktop at" in log and text not in log


def invited(owner: Page, whom: str) -> str:
    open_tool(owner, "sharing")
    assert axe.violations(owner) == []
    owner.get_by_label("For whom").fill(whom)
    owner.get_by_test_id("invite").click()
    return owner.get_by_test_id("invite-link").input_value()


def joined(guest: Page, lab: Lab, text: str) -> Frame:
    guest.goto(f"{lab.url}moonlight/?token={lab.token}")
    guest.get_by_test_id("join-another").click()
    assert axe.violations(guest) == []
    guest.get_by_test_id("invitation-text").fill(text)
    guest.get_by_test_id("join").click()
    client = shown(guest)
    expect(guest.get_by_test_id("guest-role")).to_have_text("You look on")
    assert axe.violations(guest) == []
    keep(guest, "sharing-guest")
    return client


def shown(guest: Page) -> Frame:
    guest.get_by_test_id("guest-frame").wait_for()
    wait_for_desktop(guest)
    [client] = guest.main_frame.child_frames
    return client
