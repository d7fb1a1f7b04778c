"""A desktop on a node, and a user far away: the line between them is slow, lossy, or has a firewall."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext, Page

from tests.agent.sessions import AgentSession, settings, start_agent
from tests.cluster.users import TestUser, run_as
from tests.support.chromium import chromium, person
from tests.support.link import Link, link
from tests.support.namespaces import NetworkNamespace, network_namespace
from tests.turn.coturn import Coturn, coturn

NODE, USER = "10.77.1.1", "10.77.1.2"
T = TypeVar("T")


@dataclass
class Far:
    """What the user does, he does :meth:`there`, in his name space."""

    space: NetworkNamespace
    session: AgentSession
    turn: Coturn
    line: Link
    context: BrowserContext

    @property
    def url(self) -> str:
        gateway = self.session.status.gateway
        assert gateway
        return f"https://{NODE}:{gateway.port}/"

    @property
    def turn_port(self) -> int:
        return int(self.turn.uris[0].split(":")[2].partition("?")[0])

    def there(self, work: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return self.space.inside(work, *arguments, **options)

    def login(self) -> None:
        """The context has the session's cookie from now on."""
        form = {"token": self.session.token}
        assert self.there(self.context.request.post, f"{self.url}login", form=form).ok

    def open(self) -> Page:
        page = self.context.new_page()
        page.goto(self.url)
        return page


@contextlib.contextmanager
def far(user: TestUser, directory: Path, **more: str) -> Iterator[Far]:
    """``more`` are settings of the site."""
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(network_namespace())
        here = stack.enter_context(network_namespace())
        line = stack.enter_context(link(node, NODE, here, USER))
        there = contextlib.ExitStack()
        stack.callback(lambda: node.inside(there.close))
        turn = node.inside(there.enter_context, coturn(directory, NODE))
        secret = user.home / "turn-secret"  # he launches for himself
        run_as(user, ["tee", str(secret)], input=turn.secret, check=True)
        env = settings(
            user,
            webrtc="1",
            gateway_address="0.0.0.0",
            # By TCP it would come through a line without UDP as well.
            turn_uris=json.dumps([uri for uri in turn.uris if uri.endswith("=udp")]),
            turn_secret_file=str(secret),
            **more,
        )
        session = node.inside(start_agent, user, env=env)
        stack.callback(session.close)
        session.wait_running()
        browsing = contextlib.ExitStack()
        stack.callback(lambda: here.inside(browsing.close))

        def browse() -> BrowserContext:
            browser = browsing.enter_context(chromium())
            return browsing.enter_context(person(browser, ignore_https_errors=True))

        one = Far(here, session, turn, line, here.inside(browse))
        one.login()
        yield one
