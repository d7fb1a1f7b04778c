"""The cluster's own munged: a private key and a private socket."""

from __future__ import annotations

import os
import secrets

from tests.cluster.config import Layout, write_private
from tests.cluster.daemon import Daemon
from tests.cluster.packages import find_program


def munge_daemon(layout: Layout) -> Daemon:
    """munged with a key of its own, so that it neither needs nor meets the system's."""
    program = find_program("munged")
    key = layout.directory / "munge" / "key"
    if not key.exists():
        write_private(key, secrets.token_hex(64), "munge")
    layout.munge_socket.unlink(missing_ok=True)
    return Daemon(
        "munged",
        [
            program,
            "--foreground",
            # The sandbox of a test may lie below a group-writable directory.
            "--force",
            f"--key-file={key}",
            f"--socket={layout.munge_socket}",
            f"--log-file={layout.directory}/munge/munged.log",
            f"--pid-file={layout.directory}/munge/munged.pid",
            f"--seed-file={layout.directory}/munge/seed",
            f"--num-threads={max(2, os.cpu_count() or 2)}",
        ],
        layout.log("munged"),
        user="munge",
    )
