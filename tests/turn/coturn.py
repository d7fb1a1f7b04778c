"""A real coturn with a shared secret, on an address that only it has."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moonlight_spawner.model.files import write_private

from tests.cluster.daemon import Daemon
from tests.cluster.packages import SEARCH_PATH
from tests.cluster.ports import PortClaims
from tests.support.waiting import STILL
from tests.turn.gathering import Gathered

# Relayed ports lie above those that tests claim and below the ephemeral ones.
_CONFIG = """\
listening-ip={address}
listening-port={port}
relay-ip={address}
min-port=31000
max-port=32767
realm=moonlight.test
use-auth-secret
static-auth-secret={secret}
no-cli
no-tls
no-dtls
userdb={directory}/turndb
pidfile={directory}/turnserver.pid
log-file=stdout
verbose
"""
# A Binding request without attributes (RFC 5389).
_BINDING = struct.pack("!HHI12s", 0x0001, 0, 0x2112A442, b"moonlight-hp")


@dataclass(frozen=True)
class Coturn:
    """A running server. ``secret_file`` is for the setting `turn_secret_file`."""

    address: str
    uris: list[str]
    secret: str
    secret_file: Path

    @property
    def accepted(self) -> Gathered:
        """What a browser gathers whose credentials it takes: by each way an address here."""
        return {uri: {f"relay {self.address}"} for uri in self.uris}

    @property
    def refused(self) -> Gathered:
        """What a browser gathers whose credentials it refuses: by each way a 401 alone."""
        return {uri: {"error 401"} for uri in self.uris}


@contextmanager
def coturn(directory: Path, address: str = "") -> Iterator[Coturn]:
    """One in the foreground, with all its files in ``directory``; ``address`` is one of the caller's own."""
    program = shutil.which("turnserver", path=SEARCH_PATH)
    assert program, "turnserver is not installed: `tools/packages test` installs coturn"
    claims = PortClaims()
    port = claims.claim()
    # The port is claimed on the whole machine, so nobody else makes this address of it.
    address = address or f"127.77.{port >> 8}.{port & 0xFF}"
    # As `openssl rand -base64 32` makes it.
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    secret_file, config = directory / "secret", directory / "turnserver.conf"
    write_private(secret_file, f"{secret}\n")
    write_private(
        config, _CONFIG.format(address=address, port=port, secret=secret, directory=directory)
    )
    daemon = Daemon("turnserver", [program, "-c", str(config)], directory / "turnserver.log")
    try:
        daemon.start(lambda: _answers(address, port))
        uris = [f"turn:{address}:{port}?transport={transport}" for transport in ("udp", "tcp")]
        yield Coturn(address, uris, secret, secret_file)
    finally:
        daemon.stop()
        daemon.close()
        claims.release()


def _answers(address: str, port: int) -> bool:
    """It answers STUN only once all its threads run, those too that look at credentials."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(STILL)
        try:
            sock.connect((address, port))
            sock.send(_BINDING)
            return sock.recv(1500)[8:20] == _BINDING[8:20]
        except OSError:
            return False
