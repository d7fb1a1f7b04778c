"""A whole portal, with a real Slurm, a Redis and nginx: what nodes tell it reaches the page."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import now
from playwright.sync_api import Browser, Page

from tests.browser.desktop import press_launch, session_card, wait_running
from tests.cluster.users import TestUser
from tests.support.chromium import person
from tests.support.waiting import wait_for

from .login_page import log_in, login_page
from .place import Place
from .whole import Whole, standing_still, stream_of

SESSIONS = "/api/moonlight/sessions"
MARKUP = "<img src=x onerror=\"window.broken='yes'\"><script>window.broken='yes'</script>"

#: Each state of the steps that the page shows, in the order of time.
WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const steps = [...document.querySelectorAll('[data-testid=step]')];
    const states = Object.fromEntries(steps.map((step) => [step.dataset.step, step.dataset.state]));
    if (steps.length) window.shown.push(states);
  }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""
ORDER = ["waiting", "running", "done"]


@pytest.mark.parametrize("told", [True, False], ids=["by the node", "by the user's side"])
def test_the_steps_of_a_start_appear_one_by_one(whole: Whole, browser: Browser, told: bool) -> None:
    """In English what the node says, in Korean where it cannot say anything to the portal."""
    place = whole.place
    user, language, label = (
        (place.alice, "en-US", "Start the stream")
        if told
        else (place.bob, "ko-KR", "스트리밍 시작")
    )
    place.issuer.page = login_page({str(user): place.token(user)})
    with person(browser, language, ignore_https_errors=True) as context:
        page = log_in(context, place.origin, str(user))
        page.evaluate(WATCH)
        if told:
            session_id = press_launch(page)
            with whole.sides_out_of_reach():  # so nobody but the node tells anything
                _see_it_start(page, user, session_id, label)
            _markup_is_text(whole, page, user, session_id)
        else:
            with place.beside(portal_callback_url="https://127.0.0.1:1") as other:
                session_id = _launched(other, user)
                _see_it_start(page, user, session_id, label)
            log = whole.directory(user, session_id) / "agent.log"
            assert "the portal cannot be told of this session" in log.read_text()
        shown = page.evaluate("window.shown")
        for before, after in itertools.pairwise(shown):
            assert all(ORDER.index(after[i]) >= ORDER.index(before[i]) for i in before), shown


def _launched(place: Place, user: TestUser) -> str:
    """A new session's id."""
    with place.direct() as client:
        client.headers["Authorization"] = f"Bearer {place.token(user)}"
        session_id: str = client.post(SESSIONS, json={}).json()["session_id"]
    return session_id


def _see_it_start(page: Page, user: TestUser, session_id: str, label: str) -> None:
    """What is done, what is being done and what comes, while the start is in the middle of it."""
    card = session_card(page, session_id, "starting")
    with standing_still(stream_of(user, session_id)):
        for step, state in (
            *(("host", "running"), ("claim", "done")),
            *(("xserver", "done"), ("gateway", "waiting")),
        ):
            card.locator(f"[data-step={step}][data-state={state}]").wait_for()
        assert label in card.locator("[data-step=host]").inner_text()
    wait_running(page, session_id)


def _markup_is_text(whole: Whole, page: Page, user: TestUser, session_id: str) -> None:
    """A user may say what he likes of his own session; the page shows it, and does nothing of it."""
    _say(whole.place, whole.directory(user, session_id), notes=[MARKUP], node=MARKUP)
    card = session_card(page, session_id)
    assert wait_for(lambda: MARKUP in card.inner_text())
    assert page.evaluate("window.broken") is None and not card.locator("img, script").count()


def _say(place: Place, directory: Path, **words: Any) -> None:
    """What the agent of the session in ``directory`` has said last, and this; with its token."""
    status = AgentStatus.model_validate_json((directory / "status.json").read_text())
    status = status.model_copy(update={"beat": now(), "sequence": int(time.time() * 100), **words})
    token = json.loads((directory / "callback.json").read_text())["token"]
    with place.direct() as client:
        answer = client.post(
            f"/api/moonlight/callback/{directory.name}",
            content=status.model_dump_json(),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 204, answer.text
