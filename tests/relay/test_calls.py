"""Small calls: whoever takes the connection and says nothing holds nobody."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.agent.desktop.container import Node
from moonlight_spawner.agent.hosts.sunshine import web_client
from moonlight_spawner.agent.hosts.sunshine.files import make_key_pair
from moonlight_spawner.relay.upstream import Target, UpstreamError, call


def test_a_call_has_its_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = Target(addresses=("127.0.0.1",), port=silent.getsockname()[1])
        with pytest.raises(UpstreamError, match=r"has not answered within 0\.05 s"):
            asyncio.run(call(target, "GET", "/", [], seconds=0.05))


def test_a_silent_listener_on_the_web_clients_port_is_another_block_of_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came between the look for free ports and the start, and takes what is asked for ours."""
    monkeypatch.setattr(web_client, "_CALL_SECONDS", 0.05)
    program = tmp_path / "web-server"
    program.write_text(
        '#!/bin/sh\necho "Address already in use (os error 98)"\n'
    )  # and ends with 0
    program.chmod(0o755)
    (tmp_path / "static").mkdir()
    (tmp_path / "static/stream.html").touch()
    options: Any = SimpleNamespace(
        web_command=(str(program),), web_directory=None, stun_uris=(), turn_uris=(), webrtc=False
    )
    context: Any = SimpleNamespace(
        spec=SimpleNamespace(sunshine=options),
        request=SimpleNamespace(size=(800, 600), fps=30),
        container=Node(),
        env={"PATH": "/usr/bin:/bin", "PYTHON": sys.executable},
        runtime=tmp_path,
        log_dir=tmp_path,
    )
    keys = make_key_pair("test")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = {"http": 1, "web": silent.getsockname()[1]}
        web = web_client.WebClient(context, ports, keys, keys, set(), 1000, "127.0.0.1")
        assert asyncio.run(web.start()) is False
