"""A Hub of these tests that does not start says why, and leaves nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from .hub import Hub


def test_a_hub_that_ends_at_its_start_tells_its_log_and_leaves_no_proxy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        hub = Hub(tmp_path, more=f"c.JupyterHub.hub_port = {taken.getsockname()[1]}")
        with pytest.raises(AssertionError, match="Address already in use"), hub:
            pass
    # It listens after its proxy does.
    assert f"Starting proxy @ {hub.origin}" in hub.log()
    argvs = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [argv for argv in argvs if "--api-port" in argv and str(hub.port) in argv]
