"""Two users of a portal at one desktop, in real browsers, through nginx with TLS."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from tests.agent.test_shared_at_jupyterlab import REACHES
from tests.agent.test_shared_origin import HANDS_OF_A_VIEWER, wait_for_desktop
from tests.browser.desktop import connect, launch, type_command
from tests.browser.viewer import FRAME, close_tool, open_tool
from tests.support import axe
from tests.support.chromium import keep, person
from tests.support.waiting import wait_for

from .login_page import log_in, login_page
from .place import SLOWLY, Place
from .test_users import paths_of, refused_as

SESSIONS = "/api/moonlight/sessions"


def test_a_colleague_looks_on_and_is_given_control_at_his_own_login(
    browser: Browser, place: Place
) -> None:
    alice, bob = place.alice, place.bob
    place.issuer.page = login_page({str(one): place.token(one) for one in (alice, bob)})
    with (
        person(browser, "en-US", ignore_https_errors=True) as one,
        person(browser, "ko-KR", ignore_https_errors=True) as other,
    ):
        page = log_in(one, place.origin, str(alice))
        session_id = launch(page)
        owner = connect(one, page, session_id)
        ready, said, heard = (alice.home / f"{name}.txt" for name in ("ready", "said", "heard"))
        hears = f"read -r line; echo $line > {said}; read -r line; echo $line > {heard}"
        type_command(owner, f"echo ready > {ready}; {hears}", ready)
        link = invited(owner, str(bob))
        assert link.startswith(f"{place.origin}/moonlight/join/#moonlight2.")

        guest, client = joined(other, place, link, str(bob))
        row = owner.get_by_test_id("invitation")
        expect(row).to_contain_text(str(bob))
        expect(row).to_contain_text("is here · look on")
        keep(owner, "sharing-portal")
        close_tool(owner)
        mark = owner.get_by_test_id("shared-mark")
        expect(mark).to_have_text("Shared with 1")

        # Neither by the page nor by a program in its place.
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
        expect(guest.get_by_test_id("guest-role")).to_have_text("조작할 수 있음")
        wait_for(lambda: client.evaluate("window.webrtcInput.isInputAttached()"))
        guest.get_by_test_id("guest-frame").focus()
        guest.keyboard.type("theirs now\n")
        wait_for(lambda: heard.exists() and heard.read_text())
        assert heard.read_text() == "theirs now\n"
        # What the owner's node sends is of no origin at the portal.
        reached = client.evaluate(REACHES)
        assert (reached["origin"], reached["page"], reached["api"]) == (
            "null",
            "SecurityError",
            "TypeError",
        )
        nobody_else(place, session_id)

        row.get_by_test_id("end-invitation").click()
        over = guest.get_by_test_id("sharing-over")
        expect(over).to_contain_text("데스크톱 소유자가 공유를 끝냈습니다")
        expect(row).to_have_count(0)
        guest.get_by_test_id("invitation-text").fill(link)
        guest.get_by_test_id("join").click()
        expect(guest.get_by_test_id("general-error")).to_contain_text("이미 끝났습니다")
    with place.client(place.token(alice)) as program:
        address = f"{SESSIONS}/{session_id}"
        program.delete(address)
        wait_for(lambda: program.get(address).json()["ended_at"], interval=SLOWLY)
    of = {"session": session_id}
    for action, user in (
        *(("invite", alice), ("join", bob), ("stream_opened", bob)),
        *(("change_invitation", alice), ("stream_closed", bob), ("end_invitation", alice)),
    ):
        assert place.audited(action=action, user=str(user), result="done", **of), action
    assert link.partition("#")[2] not in place.log.read_text()


def invited(owner: Page, whom: str) -> str:
    open_tool(owner, "sharing")
    assert axe.violations(owner) == []
    owner.get_by_label("For which user of this portal").fill("nobody-of-that-name")
    owner.get_by_test_id("invite").click()
    expect(owner.get_by_test_id("general-error")).to_contain_text("no user of this portal")
    owner.get_by_label("For which user of this portal").fill(whom)
    owner.get_by_test_id("invite").click()
    link = owner.get_by_test_id("invite-link")
    expect(link).to_be_visible()
    return link.input_value()


def joined(context: BrowserContext, place: Place, link: str, user: str) -> tuple[Page, Frame]:
    """By the link, first without a login: what is behind its # goes nowhere."""
    guest, addresses = context.new_page(), []
    guest.on("framenavigated", lambda frame: addresses.append(frame.url))
    guest.goto(link)
    guest.wait_for_url(re.compile("/portal-login\\?next="))
    guest.click(f"#{user}")
    guest.wait_for_url(f"{place.origin}/moonlight/join/")
    expect(guest.get_by_test_id("invitation-text")).to_have_value(link.partition("#")[2])
    assert axe.violations(guest) == []
    assert not [one for one in addresses if "/portal-login" in one and "#" in one]
    guest.get_by_test_id("join").click()
    client = shown(guest)
    expect(guest.get_by_test_id("guest-role")).to_have_text("보기만 할 수 있음")
    assert axe.violations(guest) == []
    keep(guest, "sharing-portal-guest-ko")
    return guest, client


def shown(guest: Page) -> Frame:
    guest.get_by_test_id("guest-frame").wait_for()
    wait_for_desktop(guest)
    [client] = guest.main_frame.child_frames
    return client


def nobody_else(place: Place, session_id: str) -> None:
    """While the guest has control: neither he by another path, nor a third user, nor an admin."""
    desktop = {
        "session_id": session_id,
        "web_url": f"/moonlight/sessions/{session_id}/",
        "stream_url": f"/moonlight/sessions/{session_id}/desktop/",
    }
    third = place.token(place.side.other)
    for token in (place.token(place.bob), third, place.admin_token()):
        with place.client(token) as client:
            for method, path in paths_of(desktop):
                answer = client.request(method, path)
                assert answer.status_code == refused_as(method, path), (method, path)
