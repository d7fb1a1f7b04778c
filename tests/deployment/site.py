"""A site as docs/deployment.md finds it: users, nginx, Redis, Slurm, an auth service and ten others.

For a world of its own (:mod:`.world`): the names and ports are those of the document.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis
from moonlight_spawner.agent.display.screen import make_sockets

from tests.cluster import SlurmCluster
from tests.cluster.config import Settings
from tests.portal.issuer import Issuer
from tests.support.waiting import wait_for

from .world import ADDRESS, ROOT

NAME = "portal.site.org"
USERS = {"alice": "physics", "bob": "chemistry"}
EXAMPLE = ROOT / "deploy/moonlight_config.py"
AUTHORITY = Path("/etc/ssl/site-ca.pem")
FOREIGN = {"auth:token:1": "a", "vnc:session:1": "b", "job:7": "c", "user:alice": "d"}
HERE = "        # the portal's own lines\n"

_NGINX = """
server {{
    listen 443 ssl default_server;
    server_name {name};
    ssl_certificate /etc/nginx/site.pem;
    ssl_certificate_key /etc/nginx/site.key;
    location /api/ {{ default_type text/plain; return 200 "the site's own"; }}
    location / {{ default_type text/plain; return 200 "the site's own"; }}
{here}}}
server {{
    listen 4430 ssl;
    ssl_certificate /etc/nginx/site.pem;
    ssl_certificate_key /etc/nginx/site.key;
    location / {{ return 200 "login"; }}
    location = /.well-known/jwks.json {{ proxy_pass {issuer}/keys; }}
}}
"""
SERVER = Path("/etc/nginx/sites-enabled/portal")


class Site:
    issuer: Issuer
    cluster: SlurmCluster

    def token(self, user: str) -> str:
        return self.issuer.token(user, iss=f"https://{NAME}")

    def redis(self) -> redis.Redis:
        return redis.Redis(protocol=2, decode_responses=True)

    def qos(self) -> str:
        return self.cluster.sacctmgr("show", "qos", "format=name")


@contextlib.contextmanager
def site() -> Iterator[Site]:
    one = Site()
    run("groupadd", "hpcusers")
    for user in USERS:
        run("useradd", "--create-home", "--shell=/bin/bash", "--groups=hpcusers", user)
        Path("/home", user).chmod(0o700)
    with Path("/etc/hosts").open("a") as hosts:
        hosts.write(f"\n{ADDRESS} {NAME}\n")
    Path("/scratch").mkdir()
    make_sockets()
    _certificates()
    with contextlib.ExitStack() as stack:
        one.issuer = stack.enter_context(Issuer())
        _nginx(one.issuer)
        stack.callback(run, "nginx", "-s", "stop")
        _redis(one)
        _others(stack)
        _slurm(one, stack)
        yield one


def run(*argv: str, **more: Any) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def _certificates() -> None:
    """The site's authority, which its machines trust, and its server's certificate."""
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    ca = ["-x509", "-subj", "/CN=site CA", "-keyout", "/run/ca.key", "-out", str(AUTHORITY)]
    run("openssl", "req", *kind, *ca)
    own = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-x509"]
    own += ["-CA", str(AUTHORITY), "-CAkey", "/run/ca.key"]
    run(
        "openssl",
        "req",
        *kind,
        *own,
        "-keyout",
        "/etc/nginx/site.key",
        "-out",
        "/etc/nginx/site.pem",
    )
    trusted = Path("/etc/ssl/certs")
    named = run("openssl", "x509", "-hash", "-noout", "-in", str(AUTHORITY)).strip()
    (trusted / f"{named}.0").symlink_to(AUTHORITY)
    with (trusted / "ca-certificates.crt").open("a") as bundle:
        bundle.write(AUTHORITY.read_text())


def _nginx(issuer: Issuer) -> None:
    for path in SERVER.parent.iterdir():
        path.unlink()
    SERVER.write_text(_NGINX.format(name=NAME, issuer=issuer.origin, here=HERE))
    run("nginx")


def _redis(one: Site) -> None:
    """As the site has it: an aclfile, and keys of others."""
    Path("/etc/redis").mkdir(exist_ok=True)
    Path("/etc/redis/users.acl").write_text("user default on nopass ~* &* +@all\n")
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed: tools/packages portal"
    config = ["port 6379", "bind 127.0.0.1", "dir /run", 'save ""', "daemonize yes"]
    config += ["aclfile /etc/redis/users.acl", "logfile /run/redis.log"]
    Path("/etc/redis/redis.conf").write_text("\n".join(config) + "\n")
    run(program, "/etc/redis/redis.conf")
    with one.redis() as client:
        wait_for(lambda: _pings(client))
        client.mset(FOREIGN)


def _pings(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


class _Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def _others(stack: contextlib.ExitStack) -> None:
    """What the example names besides the auth portal."""
    for port in map(int, re.findall(r'"port": (\d+)', EXAMPLE.read_text("utf-8"))):
        if port != 4430:
            server = ThreadingHTTPServer(("127.0.0.1", port), _Fine)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)


def _slurm(one: Site, stack: contextlib.ExitStack) -> None:
    """At its usual place, with users in accounts of their own, and without our QoS."""
    one.cluster = SlurmCluster("/var/tmp/slurm", settings=Settings(proctrack="linuxproc"))
    stack.callback(one.cluster.stop)
    one.cluster.start()
    Path("/etc/slurm").mkdir(exist_ok=True)
    Path("/etc/slurm/slurm.conf").unlink(missing_ok=True)
    Path("/etc/slurm/slurm.conf").symlink_to(one.cluster.slurm_conf)
    ask = one.cluster.sacctmgr
    ask("modify", "account", "where", "name=lab", "set", "qos-=moonlight")
    ask("delete", "qos", "where", "name=moonlight")
    for user, account in USERS.items():
        ask("add", "account", account)
        ask("add", "user", user, f"account={account}")
