"""``/metrics``: what Prometheus asks this one service. No label names a user, a session or a node.

Each service counts what it did itself. What several see alike (sessions) each of them tells:
docs/operations.md says what is summed up and what is not.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from moonlight_spawner import __version__
from moonlight_spawner.model.errors import MoonlightError
from moonlight_spawner.model.measured import observe
from moonlight_spawner.model.session import Session, State
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.service_files import private_file
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.registry import Collector

from .. import websocket
from ..traffic import relayed
from .proxied import forwarded

OTHER = "other"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_DOORS = ("jupyterlab", "proxy", "portal", "api", "cli", "ood", "hub", "here")
_STEPS = ("claim", "xserver", "desktop", "host", "picture", "gateway")
_COMMANDS = ("sbatch", "squeue", "scancel", "sacct", "scontrol", "sinfo")
_ANSWERS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_LAUNCHES = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_LONGEST_LAUNCH = 7 * 86400.0  # seconds, in the queue as well
_CODE = re.compile(r"[A-Za-z][A-Za-z_]{0,40}", re.ASCII)
# Codes are ours, but a record is its user's to change: no more series than this are made of them, and no
# more of one user's than leave room for those of others.
_MOST_CODES, _MOST_CODES_EACH = 256, 8


class Metrics:
    """The registry of one service. ``manager`` knows sessions, ``known`` is asked if it does not tell all."""

    def __init__(self, manager: Any, known: Any, routes: Collection[str]):
        self._manager, self._known = manager, known
        self._routes = frozenset(routes)
        self._codes: dict[str, str] = {}  # and whose they were first; "": the service's own
        self._seen: dict[str, State] | None = None
        self.registry = r = CollectorRegistry()
        Gauge("moonlight_info", "The service's version", ["version"], registry=r).labels(
            __version__
        ).set(1)
        self._requests = Counter(
            "moonlight_requests", "Requests answered", ["route", "method", "status"], registry=r
        )
        self._refused = Counter(
            "moonlight_refusals",
            "Requests answered with an error, by its code",
            ["code"],
            registry=r,
        )
        self._sessions = Gauge(
            "moonlight_sessions",
            "Sessions known to this service; others know the same ones",
            ["state", "image", "door"],
            registry=r,
        )
        self._failures = Counter(
            "moonlight_session_failures",
            "Sessions that were seen to fail, by their reason's code",
            ["reason"],
            registry=r,
        )
        self._launch = Histogram(
            "moonlight_launch_step_seconds",
            "How long the steps of starts took, of sessions that were seen to begin to run; `all` is "
            "from the request to the end of the last step, waiting for the job included",
            ["step"],
            buckets=_LAUNCHES,
            registry=r,
        )
        self._answers = {
            who: Histogram(
                f"moonlight_{who}_seconds", text, [label, "result"], buckets=_ANSWERS, registry=r
            )
            for who, text, label in (
                ("slurm", "How long Slurm's commands took", "command"),
                ("redis", "How long Redis took", "operation"),
                ("user_side", "How long users' sides took", "operation"),
            )
        }
        r.register(_Streams())
        self._stop = observe(self._observe)

    def close(self) -> None:
        self._stop()

    def finished(self, handler: Any, route: str) -> None:
        """A request was answered."""
        method = handler.request.method
        self._requests.labels(
            route if route in self._routes else OTHER,
            method if method in _METHODS else OTHER,
            str(handler.get_status()),
        ).inc()
        if code := getattr(handler, "refused_code", ""):
            self._refused.labels(self._code(code)).inc()

    async def text(self) -> bytes:
        """What is asked for, after a look at the sessions that are known without asking anybody."""
        known = getattr(self._manager, "known_sessions", None)
        try:
            self.look(await known() if known else self._known())
        except MoonlightError:  # the store is away: that is told by its own figures
            self._sessions.clear()
        return generate_latest(self.registry)

    def look(self, sessions: Iterable[Session]) -> None:
        sessions = list(sessions)
        images = {image.id for image in self._manager.images.all()}
        counts: dict[tuple[str, str, str], int] = {}
        for session in sessions:
            image = session.image_id if session.image_id in images else OTHER
            door = session.door if session.door in _DOORS else OTHER
            labels = session.status.value, image, door
            counts[labels] = counts.get(labels, 0) + 1
        self._sessions.clear()
        for labels, count in counts.items():
            self._sessions.labels(*labels).set(count)
        before = self._seen
        self._seen = {session.session_id: session.status for session in sessions}
        if before is None:  # what began before this service is nothing that it saw
            return
        for session in sessions:
            was = before.get(session.session_id)
            if session.status is State.RUNNING and was not in (State.RUNNING, State.STOPPING):
                self._launched(session)
            elif session.status is State.FAILED and was is not State.FAILED:
                code = self._code(session.reason_code, session.user)
                self._failures.labels(code).inc()

    def _launched(self, session: Session) -> None:
        ends = []
        for step in session.steps:
            if step.started_at and step.ended_at:
                ends.append(step.ended_at)
                name = step.id if step.id in _STEPS else OTHER
                seconds = (step.ended_at - step.started_at).total_seconds()
                self._launch.labels(name).observe(_likely(seconds))
        if ends:
            whole = (max(ends) - session.created_at).total_seconds()
            self._launch.labels("all").observe(_likely(whole))

    def _observe(self, who: str, what: str, seconds: float, done: bool) -> None:
        if who == "slurm" and what not in _COMMANDS:
            what = OTHER
        if histogram := self._answers.get(who):
            histogram.labels(what, "done" if done else "failed").observe(seconds)

    def _code(self, code: str, user: str = "") -> str:
        if code in self._codes:
            return code
        full = user and list(self._codes.values()).count(user) >= _MOST_CODES_EACH
        if full or len(self._codes) >= _MOST_CODES or not _CODE.fullmatch(code):
            return OTHER
        self._codes[code] = user
        return code


def _likely(seconds: float) -> float:
    """A record's times are its user's to change, and one of them must not drown all others' sum."""
    return min(max(0.0, seconds), _LONGEST_LAUNCH)


class _Streams(Collector):
    """Read where they are counted, at the moment of the question."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("moonlight_streams_open", "Streams open", value=websocket.count())
        counted = CounterMetricFamily(
            "moonlight_relayed_bytes",
            "Bytes of desktops relayed: their streams and bodies of HTTP",
            labels=["direction"],
        )
        for direction, count in relayed.bytes().items():
            counted.add_metric([direction], count)
        yield counted


class Guard:
    """Who may read them: the addresses of the site's Prometheus, or who has the token."""

    def __init__(self, site: MoonlightSite):
        self._networks = [ipaddress.ip_network(text) for text in site.portal_metrics_allow]
        self._token = b""
        if site.portal_metrics_token_file:
            self._token = private_file(Path(site.portal_metrics_token_file)).strip()
            if len(self._token) < 16:
                raise ValueError(
                    f"The token in {site.portal_metrics_token_file} has {len(self._token)} bytes; at "
                    "least 16 are needed: openssl rand -hex 32."
                )

    def may(self, request: Any) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer":
            return hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._token)
        if forwarded(request):
            return False  # through the portal's proxy, whose own address may be among those
        # The connection's own, whatever a header has made of remote_ip.
        peer = request.connection.context.address
        try:
            address = ipaddress.ip_address(peer[0])
        except (ValueError, IndexError, TypeError):
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._networks)


__all__ = ["CONTENT_TYPE", "Guard", "Metrics"]
