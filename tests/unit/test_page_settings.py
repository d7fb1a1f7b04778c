"""What the page is told of the Hub that has started its server."""

from __future__ import annotations

import pytest
from moonlight_spawner.sessions.page_address import hub_start

SUBDOMAINS = {"JUPYTERHUB_HOST": "https://hub.lab"}


@pytest.mark.parametrize(
    ("base", "hub", "prefix", "more", "start"),
    [
        ("/user/alice/", "/", "/user/alice/", {}, "/hub/spawn/alice"),
        ("/user/alice/one/", "/", "/user/alice/one/", {}, "/hub/spawn/alice/one"),
        ("/p/user/user/", "/p/", "/p/user/user/", {}, "/p/hub/spawn/user"),
        ("/user/a%40b/", "/", "/user/a%40b/", SUBDOMAINS, "https://hub.lab/hub/spawn/a%40b"),
        ("/lab-in-it/", "/", "/user/alice/", {}, None),
        ("/services/ours/", "/", "/services/ours/", {}, None),
    ],
    ids=["a server", "of a name", "below a path", "subdomains", "started within", "a service"],
)
def test_a_page_leads_to_where_its_own_server_is_started(
    base: str, hub: str, prefix: str, more: dict[str, str], start: str | None
) -> None:
    environ = {"JUPYTERHUB_BASE_URL": hub, "JUPYTERHUB_SERVICE_PREFIX": prefix, **more}
    assert hub_start(base, environ) == start


def test_a_server_of_no_hub_has_no_such_page() -> None:
    assert hub_start("/", {}) is None
