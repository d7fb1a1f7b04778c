"""A real Redis of a test's own, as Debian brings it: private port, socket, directory and password."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import redis

from tests.cluster.daemon import Daemon, tail
from tests.cluster.packages import SEARCH_PATH
from tests.cluster.ports import PortClaims
from tests.cluster.users import TestUser

__all__ = ["RedisServer", "redis_server"]

_CONFIG = """\
bind 127.0.0.1
port {port}
unixsocket {socket}
unixsocketperm 777
dir {directory}
logfile {log}
daemonize no
save ""
appendonly yes
appendfsync no
"""


class RedisServer:
    """A running Redis. It keeps what it was told over :meth:`restart`, in an append-only file.

    ``password`` is the default user's: other users of the machine reach the port as well.
    """

    certificates: Path  # where those are that it was made with

    def __init__(
        self,
        directory: Path,
        port: int,
        more: Sequence[str] = (),
        sentinel: bool = False,
        password: str = "",
    ):
        self.directory = directory
        self.port = port
        self.password = password or secrets.token_urlsafe(24)
        self.socket = directory / "redis.sock"
        self.log = directory / "redis.log"
        program = shutil.which("redis-server", path=SEARCH_PATH)
        assert program, "redis-server is not installed: `tools/packages test` installs it"
        config = directory / "redis.conf"
        lines = _CONFIG.format(
            port=port, socket=self.socket, directory=directory, log=self.log
        ).splitlines()
        lines += [f'requirepass "{self.password}"']
        lines += [line.format(directory=directory, port=port) for line in more]
        config.write_text("\n".join(lines) + "\n")
        config.chmod(0o600)
        options = ["--sentinel"] if sentinel else []
        self._daemon = Daemon("redis-server", [program, str(config), *options], self.log)

    @property
    def url(self) -> str:
        """For the setting ``portal_redis_url``."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self.socket}"

    def client(self, **more: Any) -> redis.Redis:
        """One that may do everything, for the test itself."""
        options: dict[str, Any] = {"password": self.password, **more}
        return redis.Redis(unix_socket_path=str(self.socket), protocol=2, **options)

    def password_file(self, path: Path, owner: TestUser | None = None) -> Path:
        """The password as ``portal_redis_password_file`` has it: ``owner``'s alone."""
        path.touch(mode=0o600)
        path.write_text(self.password + "\n")
        if owner:
            os.chown(path, owner.uid, owner.gid)
        return path

    def settings(self, password_file: Path) -> dict[str, Any]:
        """Settings of the site that lead here."""
        return {"portal_redis_url": self.url, "portal_redis_password_file": str(password_file)}

    def start(self) -> None:
        self._daemon.start(self._answers)

    def stop(self) -> None:
        """End it in order; :meth:`start` brings it back with what it had."""
        self._daemon.stop()

    def kill(self) -> None:
        self._daemon.kill()

    def signal(self, number: int) -> None:
        """SIGSTOP and SIGCONT: it is there and says nothing."""
        assert self._daemon.signal(number)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self._daemon.close()

    def __repr__(self) -> str:
        return f"RedisServer(port={self.port}):\n{tail(self.log)}"

    def _answers(self) -> bool:
        with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError, OSError):
            with self.client() as client:
                return bool(client.ping())
        return False


@contextlib.contextmanager
def redis_server(*more: str, sentinel: bool = False, password: str = "") -> Iterator[RedisServer]:
    """One with all its files in a directory of its own, which every user may enter; it ends with the
    block. ``more`` are lines of its configuration, with ``{directory}`` and ``{port}``."""
    # Not tmp_path, whose parents are closed to other users, and which is too long for a socket.
    directory = Path(tempfile.mkdtemp(prefix="mlt-redis-", dir="/var/tmp"))
    claims = PortClaims()
    server = None
    try:
        directory.chmod(0o711)
        server = RedisServer(directory, claims.claim(), more, sentinel, password)
        server.start()
        yield server
    finally:
        if server:
            server.close()
        claims.release()
        shutil.rmtree(directory, ignore_errors=True)


def certificates(directory: Path) -> None:
    """A CA, and a certificate of 127.0.0.1's by it: ca.pem, cert.pem, key.pem."""
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    authority = [
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=test CA",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ]
    server = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-x509"]
    server += ["-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem"]
    for words in (authority, [*server, "-out", "cert.pem"]):
        argv = ["openssl", "req", *made, *words]
        subprocess.run(argv, cwd=directory, check=True, capture_output=True)
