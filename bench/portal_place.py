"""A portal of the benchmark's own: real accounts, sudo, Redis and `moonlight-hpc serve`.

Slurm is a recorded answer, so that there can be more jobs than a machine has room for: what squeue
itself takes is not measured here.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import psutil
from moonlight_spawner.model.session import Gateway, State
from moonlight_spawner.portal.callback import Callbacks, token_of
from moonlight_spawner.portal.records import redis_store
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.service_files import service_keys
from moonlight_spawner.store.redis import RedisStore

from tests.cluster.users import TestUser, as_user
from tests.support.redis import RedisServer, redis_server
from tests.user_side.portal import Portal as Accounts
from tests.user_side.portal import portal as accounts

from .portal_records import Recorded
from .processes import Program, answers, free_port

USERS = 10
_MANY = 1_000_000
# Jobs, and the line of those that wait; whatever else is asked for has an empty answer: no names of jobs.
_SQUEUE = """\
#!/bin/sh
case "$*" in
  *'--format=%u|%i|%T|'*) echo >> {asked}; exec cat {answer} ;;
  *'--sort='*) exec cat {waiting} ;;
esac
"""
_SCONTROL = "#!/bin/sh\necho 'ClusterName = bench'\n"


@dataclass
class Service:
    """A running `serve`. ``site`` are its settings, ``keys`` those of its callbacks."""

    program: Program
    site: MoonlightSite
    secret: str
    keys: list[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.site.portal_port}"

    @property
    def pid(self) -> int:
        return self.program.process.pid

    @property
    def resident_mb(self) -> float:
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def headers(self, user: TestUser, admin: bool = False) -> dict[str, str]:
        """The login of a program."""
        claims: dict[str, Any] = {"preferred_username": user.name, "exp": int(time.time()) + 3600}
        if admin:
            claims["groups"] = ["hpc-admins"]
        return {"Authorization": f"Bearer {jwt.encode(claims, self.secret, 'HS256')}"}

    def callback(self, user: TestUser, session_id: str) -> tuple[str, dict[str, str]]:
        """Where that session's agent says how it is, and with which headers."""
        given = Callbacks(self.site, self.keys).given_to(user.name)
        assert given
        token = token_of(given["seed"], session_id)
        return f"{given['url']}{session_id}", {"Authorization": f"Bearer {token}"}

    def client(self, user: TestUser, admin: bool = False) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers(user, admin), timeout=60)


@dataclass
class PortalPlace:
    """``directory`` can be entered by everybody, ``private`` is the service's own."""

    side: Accounts
    redis: RedisServer
    directory: Path
    private: Path
    logs: Path

    @property
    def users(self) -> list[TestUser]:
        return self.side.users

    @property
    def times_asked(self) -> int:
        """How often squeue was asked for jobs."""
        return len((self.private / "asked").read_bytes())

    def emptied(self) -> None:
        with self.redis.client() as client:
            client.flushall()

    @contextmanager
    def store(self, site: MoonlightSite) -> Iterator[RedisStore]:
        """The service's records, for who puts them there in its place."""
        os.seteuid(self.side.service.uid)  # its key is for its own eyes
        try:
            store = redis_store(site)
        finally:
            os.seteuid(0)
        try:
            yield store
        finally:
            store.close()

    def site(self, **settings: Any) -> MoonlightSite:
        """The settings of a service that is to be started, with the ports that it will have."""
        port = free_port()
        usual = {
            "slurm_bin": str(self.directory / "slurm"),
            "user_side_command": self.side.command,
            "portal_port": port,
            "portal_signaling_port": 0,
            "portal_url": f"http://127.0.0.1:{port}",
            "portal_callback_url": f"http://127.0.0.1:{port}",
            "portal_key_file": str(self.private / "key"),
            "portal_algorithm": "HS256",
            "portal_secret_file": str(self.private / "secret"),
            "portal_admin_claims": {"groups": ["hpc-admins"]},
            "portal_requests_per_minute": 0,
            "portal_launches_per_minute": 0,
            **self.redis.settings(self.private / "redis"),
        }
        return MoonlightSite(**{"scheduler": "slurm", **usual, **settings})

    @contextmanager
    def service(self, site: MoonlightSite) -> Iterator[Service]:
        """`moonlight-hpc serve` with these settings, under its own account."""
        config = self.directory / f"serve-{site.portal_port}.py"
        # After those of the accounts' own file, which the users' sides read as well.
        lines = [self.side.config.read_text()]
        lines += [f"c.MoonlightSite.{name} = {value!r}\n" for name, value in _set(site).items()]
        config.write_text("".join(lines))
        config.chmod(0o644)
        argv = [str(Path(sys.prefix, "bin/moonlight-hpc")), "serve", "--config", str(config)]
        name = f"serve-{site.portal_port}"
        with Program(name, argv, self.logs, account=as_user(self.side.service)) as program:
            program.wait_until(lambda: answers(site.portal_port), "does not answer", 60)
            os.seteuid(self.side.service.uid)
            try:
                keys = service_keys(self.private / "key")
            finally:
                os.seteuid(0)
            yield Service(program, site, (self.private / "secret").read_text(), keys)

    def answer_of_slurm(self, recorded: Sequence[Recorded]) -> None:
        waiting = (f"{one.job}\n" for one in recorded if one.state is State.PENDING)
        for name, lines in (("answer", (one.line for one in recorded)), ("waiting", waiting)):
            partial = self.directory / f"{name}.new"
            partial.write_text("".join(lines))
            partial.chmod(0o644)
            partial.replace(self.directory / name)


def _set(site: MoonlightSite) -> dict[str, Any]:
    return {name: getattr(site, name) for name in site._trait_values if name in _NAMES}


_NAMES = {
    "scheduler",
    "slurm_bin",
    "user_side_command",
    *(name for name in MoonlightSite.class_trait_names() if name.startswith("portal_")),
}


@contextmanager
def portal_place(directory: Path) -> Iterator[PortalPlace]:
    """Made by root, removed with all its accounts; ``directory`` takes logs."""
    with accounts(USERS) as side, redis_server() as redis:
        own = side.config.parent
        private = own / "service"
        private.mkdir(mode=0o700)
        (private / "secret").write_text(secrets.token_urlsafe(48))
        redis.password_file(private / "redis")
        (private / "asked").touch()
        for path in (private, *private.iterdir()):
            path.chmod(0o700 if path.is_dir() else 0o600)
            shutil.chown(path, side.service.uid, side.service.gid)
        commands = own / "slurm"
        commands.mkdir()
        for name in ("answer", "waiting"):
            (own / name).touch()
        squeue = _SQUEUE.format(
            asked=private / "asked", answer=own / "answer", waiting=own / "waiting"
        )
        for name, text in (("squeue", squeue), ("scontrol", _SCONTROL)):
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)
        yield PortalPlace(side, redis, own, private, directory)


def gateway_of(told: str) -> Gateway:
    """What a gateway process of the benchmark says of itself."""
    said = json.loads(told)
    return Gateway(hosts=["127.0.0.1"], port=said["port"], certificate=said["certificate"])
