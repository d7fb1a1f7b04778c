"""For tests: a Sunshine stand-in as a process, on ports of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moonlight_spawner.agent.node.claims import BASE_OFFSET

from tests.support.blocks import block_range
from tests.support.waiting import PATIENCE, wait_until

from .client import Client, Identity
from .sunshine_standin.state import password_hash

HERE = Path(__file__).resolve().parent
PROGRAM = HERE / "sunshine"
#: Offsets of everything a host may open.
OFFSETS = (-5, 0, 1, 9, 10, 11, 21)
APPS = {"env": {}, "apps": [{"name": "Desktop"}, {"name": "Sleeper", "cmd": "sleep 321"}]}


def free_base() -> int:
    """A base whose ports are free, and no other test's."""
    return block_range(1) + BASE_OFFSET


def listening(pid: int) -> set[int]:
    """TCP ports on which a process listens."""
    return _owned(pid, "tcp", "0A")


def udp_ports(pid: int) -> set[int]:
    return _owned(pid, "udp", "07")


def _owned(pid: int, table: str, state: str) -> set[int]:
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(fd))
    found = set()
    for name in (table, table + "6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == state and f"socket:[{words[9]}]" in inodes:
                found.add(int(words[1].rpartition(":")[2], 16))
    return found


@dataclass
class Reply:
    status: int
    text: str
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Sunshine:
    """The process, its files in ``folder``, and requests to its API."""

    def __init__(
        self, folder: Path, base: int, environment: Mapping[str, str], program: Path = PROGRAM
    ):
        self.folder, self.base, self.environment = folder, base, dict(environment)
        self._program = program
        self.log, self.state = folder / "sunshine.log", folder / "state.json"
        self.conf = folder / "sunshine.conf"
        self.process: subprocess.Popen[bytes]

    def start(self, *words: str) -> None:
        with (self.folder / "out").open("wb") as out:
            self.process = subprocess.Popen(
                [str(self._program), str(self.conf), *words],
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    def ready(self) -> None:
        """Until the API answers."""

        def answered() -> bool:
            assert self.process.poll() is None, self.output
            with contextlib.suppress(OSError):
                return self.get("/api/configLocale", auth=None).status == 200
            return False

        assert wait_until(answered), self.output

    def request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        auth: str | None = "admin:s3cret",
        headers: Mapping[str, str] | None = None,
        port: int | None = None,
        secure: bool = True,
    ) -> Reply:
        """One request as curl sends it; ``text`` is the answer's head and body as received."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
        if auth is not None:
            lines.append("Authorization: Basic " + base64.b64encode(auth.encode()).decode())
        lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
        data = (body or "").encode()
        if body is not None:
            lines.append(f"Content-Length: {len(data)}")
        target = ("127.0.0.1", self.base + 1 if port is None else port)
        sock = socket.create_connection(target, PATIENCE)
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            sock = context.wrap_socket(sock)
        with sock:
            sock.sendall("\r\n".join([*lines, "", ""]).encode() + data)
            raw = b""
            while True:
                more = sock.recv(65536)
                if not more:
                    raise ConnectionError(f"no whole answer: {raw!r}")
                raw += more
                head, found, got = raw.partition(b"\r\n\r\n")
                if found and len(got) >= int(
                    head.lower().partition(b"content-length:")[2].split()[0]
                ):
                    break
        return Reply(int(raw.split()[1]), raw.decode().replace("\r\n", "\n"), got)

    def get(self, path: str, auth: str | None = "admin:s3cret") -> Reply:
        return self.request("GET", path, auth=auth)

    def post(self, path: str, tree: Any = None, **more: Any) -> Reply:
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        return self.request("POST", path, json.dumps(tree), headers=headers, **more)

    def clients(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/clients/list").json["named_certs"]
        return found

    def client(self, identity: Identity | None = None, cert: str | None = None) -> Client:
        return Client("127.0.0.1", self.base, identity or Identity.new(), cert)

    def pair(self, client: Client, pin: str = "1234", given: str | None = None) -> None:
        """Pair, with ``given`` as the PIN that the user types."""

        def type_it() -> None:
            words = {"pin": given or pin, "name": "refclient"}
            wait_until(lambda: self.post("/api/pin", words).json["status"])

        typist = threading.Thread(target=type_it)
        typist.start()
        try:
            client.pair(pin)
        finally:
            typist.join()

    def term(self, seconds: float = PATIENCE) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def lines(self, needle: str) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if needle in line]


@contextlib.contextmanager
def sunshine(
    folder: Path,
    *,
    base: int | None = None,
    environment: Mapping[str, str] | None = None,
    apps: Any = APPS,
    start: bool = True,
    state: Any = None,
    program: Path = PROGRAM,
    **config: str,
) -> Iterator[Sunshine]:
    """A stand-in with written credentials that answers; killed with its group at the end."""
    base = base or free_base()
    folder.mkdir(parents=True, exist_ok=True)
    defaults = {
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "STANDIN_SUNSHINE_DISPLAY": "present",
        "STANDIN_SUNSHINE_PROBE_SECONDS": "0.05",
    }
    run = Sunshine(folder, base, {**defaults, **(environment or {})}, program)
    salt = "0e95065f73fd6712"
    credentials = {"username": "admin", "salt": salt, "password": password_hash("s3cret", salt)}
    (folder / "credentials.json").write_text(json.dumps(credentials))
    (folder / "apps.json").write_text(apps if isinstance(apps, str) else json.dumps(apps))
    if state is not None:
        run.state.write_text(json.dumps(state))
    values = {
        "port": str(base),
        "bind_address": "127.0.0.1",
        "address_family": "ipv4",
        "sunshine_name": "ref-node-1",
        "file_state": str(run.state),
        "credentials_file": str(folder / "credentials.json"),
        "log_path": str(run.log),
        "pkey": str(folder / "pkey.pem"),
        "cert": str(folder / "cert.pem"),
        "file_apps": str(folder / "apps.json"),
        "min_log_level": "info",
        **config,
    }
    run.conf.write_text("".join(f"{k} = {v}\n" for k, v in values.items() if v))
    run.start()
    try:
        if start:
            run.ready()
        yield run
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
        _remove_what_it_left(run.process.pid)


def _remove_what_it_left(pid: int) -> None:
    """The pictures of a killed one stay, as the real one's do; here nobody else removes them."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        words = line.split()
        if (int(words[4]), int(words[6])) == (pid, 0):
            subprocess.run(["ipcrm", "-m", words[1]], check=False, capture_output=True)
