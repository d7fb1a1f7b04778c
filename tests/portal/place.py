"""A whole portal: issuer, `moonlight-hpc serve` under its own account, users, nginx with TLS."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.ports import free_port
from tests.cluster.users import TestUser, as_user
from tests.support.waiting import GRACE, PATIENCE, wait_for
from tests.user_side.portal import Portal as UserSide

from .front import site_nginx
from .issuer import AUDIENCE, ISSUER, Issuer

#: Seconds between two looks of who waits at the service, which answers one user ten times a second.
SLOWLY = 0.2

_SETTINGS = """
c.MoonlightSite.user_side_command = {command}
c.MoonlightSite.portal_port = {port}
c.MoonlightSite.portal_signaling_port = {signaling}
c.MoonlightSite.portal_key_file = {key!r}
c.MoonlightSite.portal_jwks_url = {jwks!r}
c.MoonlightSite.portal_revocation_url = {check!r}
c.MoonlightSite.portal_revocation_seconds = 0.0
c.MoonlightSite.portal_issuer = {issuer!r}
c.MoonlightSite.portal_audience = {audience!r}
c.MoonlightSite.portal_admin_claims = {{"groups": ["hpc-admins"]}}
c.MoonlightSite.portal_url = {url!r}
c.MoonlightSite.portal_callback_url = {url!r}
c.MoonlightSite.portal_callback_ca_file = {ca!r}
c.MoonlightSite.portal_login_url = {login!r}
c.MoonlightSite.portal_stream_seconds = 3.0
c.MoonlightSite.portal_token_cookie = "portal_token"
"""


@dataclass
class Place:
    issuer: Issuer
    side: UserSide
    config: Path
    port: int
    signaling: int
    origin: str
    log: Path
    certificate: Path
    machine: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def alice(self) -> TestUser:
        return self.side.users[0]

    @property
    def bob(self) -> TestUser:
        return self.side.users[1]

    def token(self, user: TestUser | str, **claims: Any) -> str:
        return self.issuer.token(str(user), **claims)

    def admin_token(self) -> str:
        return self.token(self.side.other, groups=["hpc-admins"])

    def audited(self, since: int = 0, **fields: Any) -> list[dict[str, Any]]:
        """The lines of the audit that say all of this, behind ``since`` characters of the service's log.
        One comes just behind the answer that it is of, and is waited for."""
        mark = "INFO moonlight_hpc.audit: "

        def said() -> list[dict[str, Any]]:
            lines = self.log.read_text()[since:].splitlines()
            told = [json.loads(line.removeprefix(mark)) for line in lines if line.startswith(mark)]
            return [one for one in told if fields.items() <= one.items()]

        return wait_for(said)

    def start(self, *wrapper: str) -> None:
        program = str(Path(sys.prefix, "bin/moonlight-hpc"))
        argv = [*wrapper, program, "serve", "--config", str(self.config)]
        user = as_user(self.side.service)
        if self.machine:
            argv = on_machine(self.machine, self.side.service, argv)
            user = {"env": user["env"], "cwd": user["cwd"]}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for who ends it in its turn
                **user,
            )
        wait_for(self._answers)

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def end(self) -> None:
        """End it, however it is."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @contextlib.contextmanager
    def beside(self, machine: str = "", first: str = "", **settings: Any) -> Iterator[Place]:
        """Another service of this portal, with these settings, whose file begins with ``first``; on
        ``machine``. No nginx leads there."""
        port, signaling = free_ports(2)
        config = self.config.with_name(f"serve-{port}.py")
        settings |= {"portal_port": port, "portal_signaling_port": signaling}
        more = "".join(f"c.MoonlightSite.{name} = {value!r}\n" for name, value in settings.items())
        config.write_text(first + self.config.read_text() + more)
        config.chmod(0o644)
        log, origin = self.log.with_name(f"serve-{port}.log"), f"http://127.0.0.1:{port}"
        place = Place(
            self.issuer, self.side, config, port, signaling, origin, log, self.certificate, machine
        )
        try:
            place.start()
            yield place
        finally:
            place.end()

    def _answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log.read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def direct(self) -> httpx.Client:
        """Past nginx."""
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE)

    @contextlib.contextmanager
    def client(self, token: str | None = None, **more: Any) -> Iterator[httpx.Client]:
        """Through nginx; a browser's if there is no token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # The time-outs are the service's to keep.
        with httpx.Client(
            base_url=self.origin, verify=False, headers=headers, timeout=PATIENCE, **more
        ) as client:
            yield client


@contextlib.contextmanager
def portal_place(side: UserSide, directory: Path) -> Iterator[Place]:
    port, signaling, https = free_ports(3)
    (directory / "nginx").mkdir()
    with contextlib.ExitStack() as stack:
        issuer = stack.enter_context(Issuer())
        login = f"location /portal-login {{ proxy_pass {issuer.origin}; }}"
        nginx = stack.enter_context(
            site_nginx(directory / "nginx", https, port, signaling, more=login)
        )
        ca = side.config.with_name("ca.pem")  # where other accounts get as well
        ca.write_bytes(nginx.certificate.read_bytes())
        ca.chmod(0o644)
        keys = side.config.parent / "service"
        keys.mkdir(mode=0o700)
        shutil.chown(keys, side.service.uid, side.service.gid)
        config = side.config.parent / "serve.py"
        config.write_text(
            side.config.read_text()
            + _SETTINGS.format(
                command=side.command,
                port=port,
                signaling=signaling,
                key=str(keys / "portal.key"),
                jwks=issuer.origin + "/keys",
                check=issuer.origin + "/check",
                issuer=ISSUER,
                audience=AUDIENCE,
                url=nginx.origin,
                ca=str(ca),
                login="/portal-login?next={next}",
            )
        )
        config.chmod(0o644)
        log = directory / "serve.log"
        place = Place(issuer, side, config, port, signaling, nginx.origin, log, ca)
        try:
            place.start()
            yield place
        finally:
            place.end()


def on_machine(name: str, user: TestUser, argv: list[str]) -> list[str]:
    """``argv`` as ``user`` on what is another machine of that name for all that a program asks, which shares
    homes, accounts and network with this one. To be begun by root."""
    enter = ["unshare", "--uts", "--ipc", "--mount", "sh", "-c", 'hostname "$0"; exec "$@"', name]
    account = [f"--reuid={user.uid}", f"--regid={user.gid}", "--init-groups"]
    return [*enter, "setpriv", *account, *argv]


def free_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]
