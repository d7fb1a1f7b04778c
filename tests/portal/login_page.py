"""A portal's login page: a button for each user, who is known by the click."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a demo has no browser of its own
    from playwright.sync_api import BrowserContext, Page

# What a portal does when its user has logged in: the token for our login, then the way back, if that
# is one to the portal's own host.
_PAGE = """<!doctype html><meta charset=utf-8><title>Portal</title>
<style>body {{ font: 1.1rem sans-serif; margin: 15vh auto; width: 20rem; text-align: center }}
button {{ display: block; width: 100%; margin: .6rem 0; padding: .7rem; font: inherit }}</style>
<h1>Portal</h1><p>Who are you?</p><main></main><p role=alert></p>
<script type=module>
const tokens = {tokens};
const wanted = new URL(new URLSearchParams(location.search).get('next') || '/moonlight/', location);
for (const [user, token] of Object.entries(tokens)) {{
  const button = document.createElement('button');
  Object.assign(button, {{textContent: user, id: user}});
  button.onclick = async () => {{
    const headers = {{Authorization: `Bearer ${{token}}`}};
    const answer = await fetch('/api/moonlight/login', {{method: 'POST', headers}});
    if (answer.ok && wanted.origin === location.origin) location.href = wanted;
    else document.querySelector('[role=alert]').textContent = await answer.text();
  }};
  document.querySelector('main').append(button);
}}
</script>"""


def login_page(tokens: Mapping[str, str]) -> bytes:
    return _PAGE.format(tokens=json.dumps(dict(tokens))).encode()


def log_in(context: BrowserContext, origin: str, user: str) -> Page:
    """By the portal's page, and back by its way to ours."""
    page = context.new_page()
    page.goto(f"{origin}/moonlight/")
    page.wait_for_url(re.compile("/portal-login\\?next="))
    page.click(f"#{user}")
    page.wait_for_url(f"{origin}/moonlight/")
    return page
