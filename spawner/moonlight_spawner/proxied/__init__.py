"""The door for Jupyter servers that have jupyter-server-proxy and not our server extension.

A launcher entry that starts ``moonlight-hpc here --socket`` behind a Unix socket.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..site.machine import python

# jupyter-server-proxy waits for the first answer; Python and its packages may come over NFS.
_START_SECONDS = 60.0


def setup() -> dict[str, Any]:
    """What jupyter-server-proxy is to run: the entry point of ``jupyter_serverproxy_servers``."""
    return {
        "command": [*python("moonlight_spawner"), "here", "--socket", "{unix_socket}"],
        "unix_socket": True,
        "timeout": _START_SECONDS,
        "new_browser_tab": True,
        "launcher_entry": {
            # Two cards for the same desktops are one too many.
            "enabled": not _has_our_extension(),
            "title": "Moonlight Desktop",
            "category": "Moonlight",
            "icon_path": str(Path(__file__).with_name("icon.svg")),
        },
    }


def _has_our_extension() -> bool:
    """Whether this Jupyter server has our own page and card."""
    from jupyter_server.serverapp import ServerApp

    if not ServerApp.initialized():
        return False
    extension = ServerApp.instance().extension_manager.extensions.get("moonlight_jupyter")
    return bool(extension and extension.enabled)
