"""What a real browser gets from the TURN servers of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import MagicMock

from moonlight_spawner.agent.hosts.sunshine.web_client import WebClient
from moonlight_spawner.model.records import SunshineOptions
from playwright.sync_api import Page

from tests.support.chromium import chromium, person
from tests.support.waiting import PATIENCE

_GATHER = """async iceServers => {
  const connection = new RTCPeerConnection({iceServers, iceTransportPolicy: "relay"});
  const found = [];
  connection.onicecandidate = ({candidate: c}) => {
    if (c?.candidate) found.push([c.url, `${c.type} ${c.address}`]);
  };
  connection.onicecandidateerror = e => found.push([e.url, `error ${e.errorCode}`]);
  const complete = new Promise((done, failed) => {
    connection.onicegatheringstatechange = () => {
      if (connection.iceGatheringState === "complete") done();
    };
    const why = "no end of gathering; where loopback is the only network, Chromium never starts";
    setTimeout(() => failed(new Error(why)), PATIENCE_MS);
  });
  try {
    connection.createDataChannel("any");
    await connection.setLocalDescription();
    await complete;
  } finally {
    connection.close();
  }
  return found;
}""".replace("PATIENCE_MS", str(PATIENCE * 1000))

#: By the server's URI: candidates as `type address`, and errors as `error code`.
Gathered = dict[str, set[str]]
Gather = Callable[[SunshineOptions], Gathered]


def ice_servers(options: SunshineOptions) -> list[dict[str, Any]]:
    """As in the configuration of moonlight-web-stream, which hands them on to the browser."""
    config = WebClient._config(MagicMock(_options=options))
    servers: list[dict[str, Any]] = config["webrtc"]["ice_servers"]
    return servers


@contextmanager
def gathering() -> Iterator[Gather]:
    """A browser that gathers nothing but relayed candidates, anew for each call."""
    # Playwright's event loop runs in the thread that started it until the browser is closed, and
    # no thread can have two: those of other tests are in the main thread.
    with ThreadPoolExecutor(1) as thread, ExitStack() as outside:
        inside = ExitStack()
        outside.callback(lambda: thread.submit(inside.close).result())

        def start() -> Page:
            browser = inside.enter_context(chromium())
            return inside.enter_context(person(browser)).new_page()

        page = thread.submit(start).result()

        def gather(options: SunshineOptions) -> Gathered:
            gathered: Gathered = {}
            for uri, what in thread.submit(page.evaluate, _GATHER, ice_servers(options)).result():
                gathered.setdefault(uri, set()).add(what)
            return gathered

        yield gather
