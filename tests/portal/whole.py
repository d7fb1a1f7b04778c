"""A portal whose desktops are jobs of a real Slurm and whose records are in a real Redis."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.cluster.processes import descendants, of_user
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser
from tests.support.redis import RedisServer, redis_server
from tests.support.waiting import wait_for
from tests.user_side.portal import Portal, portal, sides_of

from .place import Place, portal_place


@dataclass(frozen=True)
class Whole:
    place: Place
    redis: RedisServer
    cluster: SlurmCluster

    def directory(self, user: TestUser, session_id: str) -> Path:
        """Where the session's records lie."""
        return user.home / "sessions" / user.name / session_id

    @contextlib.contextmanager
    def sides_out_of_reach(self) -> Iterator[None]:
        """Nobody's own side can be asked: sudo passes over the rule, whose name has a dot."""
        rule = Path("/etc/sudoers.d", self.place.side.service.name)
        hidden = rule.with_name(f"{rule.name}.hidden")
        rule.rename(hidden)
        try:
            yield
        finally:
            hidden.rename(rule)


@contextlib.contextmanager
def whole_portal(
    cluster: SlurmCluster, users: Sequence[TestUser], directory: Path
) -> Iterator[Whole]:
    """One with these users of the cluster."""
    with portal(users=users) as side, redis_server() as redis:
        private = redis.directory / side.service.name
        private.mkdir(mode=0o700)
        settings = redis.settings(redis.password_file(private / "password", side.service))
        shutil.chown(private, side.service.uid, side.service.gid)
        # Tests poll, and as fast as they like.
        settings |= {"portal_requests_per_minute": 0, "portal_launches_per_minute": 0}
        on_slurm(cluster, side, cpus=1, memory_gb=1, cache_seconds=0.2, **settings)
        try:
            with portal_place(side, directory) as place:
                yield Whole(place, redis, cluster)
        finally:
            cluster.heal()
            for user in users:
                wait_for(lambda user=user: not sides_of(user))
                shutil.rmtree(user.home / "sessions", ignore_errors=True)


def on_slurm(cluster: SlurmCluster, side: Portal, **settings: Any) -> None:
    """The portal's settings with this Slurm. sudo passes no SLURM_CONF on, so that stands in there."""
    text = side.config.read_text("utf-8").replace('scheduler = "local"', 'scheduler = "slurm"')
    conf = f"import os\nos.environ['SLURM_CONF'] = {str(cluster.slurm_conf)!r}\n"
    settings = {"gateway_address": own_address(), **settings}
    side.config.write_text(conf + text + _lines(settings), "utf-8")


def own_address() -> str:
    """Where this machine's nodes are reached: the service takes no user's word for one on its own
    loopback."""
    found = [one.address for some in psutil.net_if_addrs().values() for one in some]
    own = [one for one in found if one.replace(".", "").isdigit()]
    own = [one for one in own if not one.startswith(("127.", "169.254."))]
    assert own, "this needs a network: the machine has no address but its loopback's"
    return own[0]


def agents_of(user: TestUser, session_id: str) -> list[int]:
    """The session's agent, and what watches over it."""
    found = of_user(user.uid).items()
    return [pid for pid, words in found if " agent " in words and words.endswith(session_id)]


@contextlib.contextmanager
def standing_still(pids: Iterable[int]) -> Iterator[None]:
    pids = list(pids)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def stream_of(user: TestUser, session_id: str) -> list[int]:
    """The session's streaming host, once it has been started: long before it is ready."""

    def started() -> list[int]:
        below = {pid for agent in agents_of(user, session_id) for pid in descendants(agent)}
        words = of_user(user.uid)
        return [pid for pid in below if "--unix-socket" in words.get(pid, "")]

    return wait_for(started, interval=0.01)


def _lines(settings: dict[str, Any]) -> str:
    return "".join(f"c.MoonlightSite.{name} = {value!r}\n" for name, value in settings.items())
