"""Whether users can show their desktops to each other at this portal."""

from __future__ import annotations

from ..site.options import MoonlightSite
from ..site.web_client import client_files
from .finding import Finding


async def sharing(site: MoonlightSite) -> Finding:
    """Guests are given the service's own copy of selkies' client, never the node's."""
    name = "sharing"
    if site.sharing == "off":
        return Finding(name, True, "off: users cannot show their desktops to each other")
    if not client_files():
        text = (
            "selkies' web client is not installed beside the service, so the page offers no sharing"
        )
        fix = (
            'pip install "moonlight-hpc[selkies]" into the service\'s own environment and restart it, or '
            'set `sharing` to "off".'
        )
        return Finding(name, True, text, fix, odd=True)
    return Finding(name, True, f"users may invite each other ({site.sharing})")
