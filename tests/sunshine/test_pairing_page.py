"""A native client is paired, seen and sent away by a person in a browser: at the page, and at the gateway's
own, where a portal's card leads to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.browser import looks
from tests.browser.desktop import launch, open_page, session_card
from tests.standins.client import Client, Identity
from tests.support import axe
from tests.support.chromium import chromium, person
from tests.support.cli import UserCli
from tests.support.gateway import SessionGateway
from tests.support.lab import Lab
from tests.support.one_origin import Front
from tests.support.waiting import PATIENCE, wait_until

from .test_native_clients import NATIVE

_PIN = "1234"
_CARD = """<!doctype html><html><body><form method="post" action="/node/n1/PORT/login">
<input type="hidden" name="token" value="TOKEN"><input type="hidden" name="to" value="native">
<button>Pair</button></form></body></html>"""


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    with chromium() as browser, person(browser, ignore_https_errors=True) as one:
        yield one


def test_a_client_is_paired_and_removed_at_the_page(
    alice: UserCli, site: dict[str, str], context: BrowserContext
) -> None:
    with Lab(alice.user, {**site, **NATIVE}) as lab:
        lab.api(
            "sessions?live=false", "DELETE"
        )  # of other tests, which have ended; what some say is a program's
        page = open_page(context, lab)
        session_id = launch(page)
        section = session_card(page, session_id).get_by_test_id("native")
        section.locator("summary").first.click()
        address = section.get_by_test_id("native-address")
        host, _, port = address.inner_text().rpartition(":")
        assert int(port) == lab.api(f"sessions/{session_id}")["sunshine_port"]
        looks.look_at(page, "native", looks.WIDTHS[:1])
        looks.speak(page, "en")

        section.get_by_test_id("native-pair").click()
        expect(section.get_by_test_id("field-error")).to_be_visible()
        axe.check(page, "native, no PIN")
        _type(section)
        expect(section.get_by_test_id("native-message")).to_be_visible()  # no client waits
        axe.check(page, "native, nobody waits")

        known = section.get_by_test_id("native-client")
        client = Client(host.strip("[]"), int(port), Identity.new())
        with _asking(client):
            assert wait_until(lambda: _type(section) and known.count(), interval=0.2), "not paired"
        assert client.serverinfo(secure=True)["PairStatus"] == "1"
        expect(section.get_by_role("status").filter(has_text="Laptop")).to_be_visible()
        axe.check(page, "native, paired")

        page.reload()
        section.locator("summary").first.click()
        expect(known).to_contain_text("Laptop")
        known.get_by_test_id("native-remove").click()
        axe.check(page, "native, remove")
        page.get_by_test_id("native-remove-confirm").click()
        expect(known).to_have_count(0)
        assert lab.api(f"sessions/{session_id}/native")["clients"] == []

        gateway = SessionGateway(alice, lab.api(f"sessions/{session_id}"))
        other = Client(host.strip("[]"), int(port), Identity.new())
        _pair_from_a_portals_card(context, gateway, other)
        [paired] = lab.api(f"sessions/{session_id}/native")["clients"]
        assert paired["name"] == "Tablet"


def _pair_from_a_portals_card(
    context: BrowserContext, gateway: SessionGateway, client: Client
) -> None:
    card = _CARD.replace("PORT", gateway.url.rpartition(":")[2]).replace("TOKEN", gateway.token)
    with Front({"/pun/sys/dashboard": card}) as front:
        page = context.new_page()
        page.goto(f"{front.url}/pun/sys/dashboard")
        page.get_by_text("Pair").click()
        page.wait_for_url("**/native")
        axe.check(page, "the gateway's page of pairing")

        def typed() -> bool:
            page.locator("input[name=pin]").fill(_PIN)
            page.locator("input[name=name]").fill("Tablet")
            with page.expect_navigation():
                page.locator("form button").click()
            return "Paired: Tablet." in page.inner_text("body")

        assert not typed(), "no client waits"
        axe.check(page, "the gateway's page of pairing, nobody waits")
        with _asking(client):
            assert wait_until(typed, interval=0.2), page.inner_text("body")
        axe.check(page, "the gateway's page of pairing, paired")


@contextmanager
def _asking(client: Client) -> Iterator[None]:
    """It shows its PIN meanwhile, and is paired at the end."""
    asking = threading.Thread(target=client.pair, args=(_PIN,), daemon=True)
    asking.start()
    yield
    asking.join(PATIENCE)


def _type(section: Locator) -> bool:
    """The PIN and a name, and wait for the answer, whichever it is."""
    section.get_by_test_id("native-pin").fill(_PIN)
    section.locator("input[name=name]").fill("Laptop")
    section.get_by_test_id("native-pair").click()
    expect(section.locator("form[aria-busy=false]")).to_be_visible()
    return True
