"""What TLS itself costs: both ends of one connection in memory, with no socket and no relay between."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
import time
from pathlib import Path

from moonlight_spawner.agent.node.certificate import make_certificate

_FLIGHTS = 4  # of a handshake, and to spare
_MOST_BYTES = 256 * 1024  # as much as a relay reads at once


class TLSAlone:
    """A session's certificate, and the two ends that a gateway and a Jupyter server have."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="mlb-", dir="/tmp") as directory:
            server, certificate = make_certificate(Path(directory), "bench")
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.load_verify_locations(cadata=certificate)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._sent, self._came = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = server.wrap_bio(there, self._sent, server_side=True)
        self._client = client.wrap_bio(self._came, back)
        for _ in range(_FLIGHTS):
            for end in (self._client, self._server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                there.write(back.read())
                self._came.write(self._sent.read())

    @property
    def cipher(self) -> str:
        name, version, _ = self._server.cipher() or ("none", "", 0)
        return f"{version} {name}"

    def seconds_per_gb(self, bytes_: int, messages: int) -> float:
        """CPU of encryption and decryption in messages of this size, as the event loops do it."""
        data, buffer = bytes(bytes_), memoryview(bytearray(_MOST_BYTES))
        began = time.thread_time()
        for _ in range(messages):
            rest = memoryview(data)
            while rest:
                rest = rest[self._server.write(rest) :]
            self._came.write(self._sent.read())
            got = 0
            while got < bytes_:
                got += self._client.read(_MOST_BYTES, buffer)
        return (time.thread_time() - began) / (messages * bytes_ / 1e9)
