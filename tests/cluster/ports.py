"""TCP ports that belong to one cluster, or one test run, for its whole life."""

from __future__ import annotations

import random
import socket

from tests.cluster.errors import ClusterError

# Below the usual ephemeral range (32768-60999), so that no outgoing connection takes one between
# our look and the daemon's bind.
FIRST_PORT, LAST_PORT = 21000, 30999


class PortClaims:
    """Ports claimed by an abstract Unix socket each.

    Another cluster on the machine sees the claim even while no daemon listens yet, and the claim
    dies with its holder: there is no stale lock file.
    """

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def claim(self) -> int:
        """A port that nobody listens on and no other cluster has claimed."""
        for port in random.sample(range(FIRST_PORT, LAST_PORT + 1), 200):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0moonlight-test-port-{port}")
                with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("", port))
            except OSError:
                claim.close()
                continue
            self._claims[port] = claim
            return port
        raise ClusterError(f"no free port found in {FIRST_PORT}-{LAST_PORT} after 200 tries")

    def release(self) -> None:
        """Give all ports back."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()


_OF_THE_RUN = PortClaims()


def free_port() -> int:
    """A port for a program that a test starts; nobody else's as long as the run lasts."""
    return _OF_THE_RUN.claim()
