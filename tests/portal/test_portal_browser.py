"""From the portal's login page to text typed on a desktop, in a browser, through nginx with TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.desktop import connect, launch, type_command
from tests.support.chromium import chromium, keep, person
from tests.support.waiting import wait_for

from .place import Place

# What a portal does when its user has logged in: the token for our login, then the way back.
_LOGIN_PAGE = """<!doctype html><button id=login>Log in</button><script>
login.onclick = async () => {
  const answer = await fetch('/api/moonlight/login',
    {method: 'POST', headers: {Authorization: 'Bearer TOKEN'}});
  if (answer.ok) location.href = new URLSearchParams(location.search).get('next');
};
</script>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.mark.parametrize(("locale", "title"), [("en-US", "Launch"), ("ko-KR", "실행")])
def test_from_the_portals_login_to_typed_text(
    browser: Browser, place: Place, locale: str, title: str
) -> None:
    user = place.alice if locale == "en-US" else place.bob
    place.issuer.page = _LOGIN_PAGE.replace("TOKEN", place.token(user)).encode()
    typed = user.home / "typed.txt"
    with person(browser, locale, ignore_https_errors=True) as context:
        page = context.new_page()
        page.goto(f"{place.origin}/moonlight/")
        page.wait_for_url(re.compile("/portal-login\\?next="))
        page.click("#login")
        page.wait_for_url(f"{place.origin}/moonlight/")
        assert title in page.locator("[data-testid=launch]").inner_text()
        session_id = launch(page)
        desktop = connect(context, page, session_id)
        assert type_command(desktop, f"whoami > {typed}", typed).strip() == str(user)
        keep(desktop, f"portal-{locale}")
        if locale == "en-US":
            assert place.stop() == 0
            assert re.search("and [1-9][0-9]* streams go on", place.log.read_text())
            place.start()
            after = user.home / "after.txt"  # the page has found the next service by itself
            assert type_command(desktop, f"whoami > {after}", after).strip() == str(user)
    with place.client(place.token(user)) as client:
        client.delete(f"/api/moonlight/sessions/{session_id}")
        wait_for(lambda: client.get(f"/api/moonlight/sessions/{session_id}").json()["ended_at"])
