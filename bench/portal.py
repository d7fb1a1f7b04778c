"""A portal for many users: lists, event streams and desktops' streams through one `serve`, and a launch.

For root, who makes the accounts. squeue's answer is recorded (:mod:`.portal_place`); Redis, serve,
sudo, gateway and the users' sides are real.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from moonlight_spawner.model.session import State

from tests.cluster.users import TestUser

from .portal_events import Page, changes_ms
from .portal_place import PortalPlace, Service, gateway_of, portal_place
from .portal_records import Beating, Recorded, made
from .processes import CpuMeter, Program, answers, free_port
from .report import Aim, Part
from .websocket_client import Route, percentile, tick_ms

_USERS = 200
_PAGES, _STREAMS, _TICK_BYTES, _HERTZ = 100, 50, 8192, 30.0
# The longest page that the API gives.
_LIST = "/api/moonlight/sessions?user=all&limit=1000"
# Behind an answer the next one is made anew: everybody's list serves for a second.
_BETWEEN_SECONDS = 1.1
# Who is on record here has no records of his own: his side could only say that there is nothing.
_NO_SIDES = {"user_side_command": ["/nonexistent/user-side"]}
_ONE, _MANY = "own sessions of one user", "{:,} of {} users"


def run(directory: Path, options: argparse.Namespace, say: Callable[[str], None]) -> Part:
    """Measure; ``directory`` takes logs."""
    part = Part("portal")
    if os.geteuid() != 0:
        part.left_out["portal"] = "It makes accounts and a rule of sudo's, which only root can."
        return part
    with portal_place(directory) as place:
        for count in (1000, 10_000):
            _lists(part, place, count, 3 if options.quick else 15)
            say(f"portal: {count} sessions listed")
        _events(part, place, 10 if options.quick else 100)
        say("portal: event streams")
        _streams(part, place, options.quick)
        say("portal: streams")
        _launches(part, place, 1 if options.quick else 8)
        say("portal: launches")
    return part


def _lists(part: Part, place: PortalPlace, count: int, rounds: int) -> None:
    name = _MANY.format(count, _USERS)
    aims = [Aim(_MANY.format(1000, _USERS), "", 50.0), Aim(_MANY.format(10_000, _USERS), "", 300.0)]
    warm = part.measure("a list", "ms", False, aims, base=_ONE)
    cpu = part.measure("a list, CPU of serve", "ms", False, aims, base=_ONE)
    cold = part.measure("first list of a service that was just started", "ms", False)
    asked = part.measure("questions to Slurm for one list", "squeue", False)
    memory = part.measure("resident memory", "MB", False)
    place.emptied()
    site = place.site(**_NO_SIDES)
    admin, user = place.users[:2]
    names = [f"u{number:03d}" for number in range(_USERS - 1)] + [user.name]
    recorded = made(names, count)
    place.answer_of_slurm(recorded)
    with place.store(site) as store:
        for one in recorded:
            one.put(store)
        for owner in names:
            store.touch_adopted(owner)
        for one in recorded:
            one.beat(store)  # putting them there took longer than agents are silent
        with place.service(site) as service:
            memory.add("with nothing asked yet", service.resident_mb)
            with service.client(admin, admin=True) as all_, service.client(user) as own:
                cold.add(name, _ask(all_, _LIST, min(count, 1000)))
                beating, meter = Beating(store, recorded), CpuMeter([service.pid])
                for _ in range(rounds):
                    beating.go_on(_BETWEEN_SECONDS)
                    before = place.times_asked
                    with meter:
                        warm.add(name, _ask(all_, _LIST, min(count, 1000)))
                    cpu.add(name, meter.seconds * 1e3)
                    asked.add(name, place.times_asked - before)
                    if count == 1000:
                        with meter:
                            warm.add(_ONE, _ask(own, "/api/moonlight/sessions", count // _USERS))
                        cpu.add(_ONE, meter.seconds * 1e3)
                memory.add(f"after {name}", service.resident_mb)


def _ask(client: httpx.Client, path: str, expected: int) -> float:
    """Milliseconds to the whole answer."""
    began = time.perf_counter()
    answer = client.get(path)
    taken = (time.perf_counter() - began) * 1e3
    found = len(answer.raise_for_status().json()["sessions"])
    if found != expected:
        raise RuntimeError(f"{expected} sessions are expected, and {found} are listed")
    return taken


def _events(part: Part, place: PortalPlace, changes: int) -> None:
    """From a word of an agent to the event in each page that shows its session."""
    one, many = "1 page", f"{_PAGES} pages of {len(place.users)} users"
    place.emptied()
    site = place.site(**_NO_SIDES)
    recorded = made([user.name for user in place.users], 5 * len(place.users))
    place.answer_of_slurm(recorded)
    with place.store(site) as store:
        for session in recorded:
            session.put(store)
        for user in place.users:
            store.touch_adopted(user.name)
    running = {s.user: s for s in recorded if s.state is State.RUNNING}
    with place.service(site) as service:
        idle = part.measure(
            "event streams, CPU while nothing happens", "% of a core", False, base=one
        )
        for name, users, pages in (
            (one, place.users[:1], 1),
            (many, place.users, _PAGES // len(place.users)),
        ):
            said = [_Said(service, user, running[user.name]) for user in users]
            meter = CpuMeter([service.pid])
            times, percent = asyncio.run(changes_ms(said, pages, changes, meter))
            idle.add(name, percent)
            for p in (50, 99):
                title = f"event streams, agent's word to page, p{p}"
                part.measure(title, "ms", False, base=one).add(name, percentile(times, p))
        part.measure("resident memory", "MB", False).add(f"after {many}", service.resident_mb)


class _Said(Page):
    """The pages of one user, and his session that says something."""

    def __init__(self, service: Service, user: TestUser, session: Recorded):
        url, headers = service.callback(user, session.session_id)
        super().__init__(service.url, service.headers(user), url, headers)
        self._status = session.status

    def word(self, encoder: str) -> str:
        assert self._status
        self._status.encoder = encoder
        self._status.sequence += 1
        return self._status.model_dump_json()


def _streams(part: Part, place: PortalPlace, quick: bool) -> None:
    """A desktop's stream, in the form of messages of a video, by the portal and the session's gateway."""
    rounds, seconds = (1, 1.0) if quick else (5, 3.0)
    place.emptied()
    # A portal whose sessions run on its own machine: no other's is believed to have its gateway here.
    site, user = place.site(scheduler="local", **_NO_SIDES), place.users[0]
    with _gateway(place.logs) as (direct, token, told), place.service(site) as service:
        session = Recorded(user.name, 1, State.RUNNING, gateway_of(told), token)
        place.answer_of_slurm([session])
        with place.store(site) as store:
            session.put(store)
            store.touch_adopted(user.name)
        url = f"ws://127.0.0.1:{site.portal_port}/moonlight/sessions/{session.session_id}/desktop/"
        through = Route("through the portal", url, service.headers(user), pids=(service.pid,))
        for _ in range(rounds):
            for route in (direct, through):
                for sockets in (1, _STREAMS):
                    meter = CpuMeter(route.pids)
                    with meter:
                        ages = asyncio.run(tick_ms(route, sockets, _TICK_BYTES, _HERTZ, seconds))
                    name = f"{sockets} {route.name}"
                    base = f"1 {through.name}"
                    for p in (50, 99):
                        title = f"streams of 8 KiB at 30 Hz, p{p}"
                        part.measure(title, "ms", False, base=base).add(name, percentile(ages, p))
                    if route.pids:
                        title = "streams of 8 KiB at 30 Hz, CPU of serve"
                        cpu = part.measure(title, "% of a core", False, base=base)
                        cpu.add(name, meter.percent)
        part.measure("resident memory", "MB", False).add(
            f"after {_STREAMS} streams", service.resident_mb
        )


@contextmanager
def _gateway(directory: Path) -> Iterator[tuple[Route, str, str]]:
    """A route to the echo server itself; the token, and the words, of a session's gateway before it."""
    port, tls_port = free_port(), free_port()
    argv = [sys.executable, "-m", "bench.echo_server", str(port), str(tls_port)]
    with Program("echo-portal", argv, directory) as echo:
        echo.wait_until(lambda: answers(port), "does not answer")
        argv = [sys.executable, "-m", "bench.gateway_process", str(port), "uvloop"]
        with Program("gateway-portal", argv, directory, piped=True) as gateway:
            token = secrets.token_urlsafe(32)
            assert gateway.process.stdin
            gateway.process.stdin.write(token + "\n")
            gateway.process.stdin.flush()
            direct = Route("direct", f"ws://127.0.0.1:{port}/")
            yield direct, token, gateway.read_line()


def _launches(part: Part, place: PortalPlace, rounds: int) -> None:
    """From POST to its answer: sudo, the user's side, records; and the first process of the session."""
    place.emptied()
    site, user = place.site(scheduler="local"), place.users[0]
    aims = [Aim("by the portal", "", 1.0)]
    took = part.measure(
        "launch answered", "s", False, aims, base="answer to a look at the same user"
    )
    request = {"hours": 1, "resolution": "1280x720"}
    with place.service(site) as service, service.client(user) as client:
        client.get("/api/moonlight/sessions").raise_for_status()
        for _ in range(rounds):
            began = time.perf_counter()
            client.get("/api/moonlight/images").raise_for_status()
            took.add("answer to a look at the same user", time.perf_counter() - began)
            began = time.perf_counter()
            answer = client.post("/api/moonlight/sessions", content=json.dumps(request))
            took.add("by the portal", time.perf_counter() - began)
            made_ = answer.raise_for_status().json()["session_id"]
            _end(client, made_)


def _end(client: httpx.Client, session_id: str) -> None:
    path = f"/api/moonlight/sessions/{session_id}"
    client.delete(path).raise_for_status()
    deadline = time.monotonic() + 60
    while not client.get(path).raise_for_status().json()["ended_at"]:
        if time.monotonic() > deadline:
            raise RuntimeError("a session does not end within a minute")
        time.sleep(0.3)
