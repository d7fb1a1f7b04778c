"""The JupyterLab door: REST API, events, stream proxy and the session page."""

from __future__ import annotations

from typing import Any

from moonlight_spawner import __version__

from .extension import MoonlightExtension

__all__ = ["MoonlightExtension", "__version__"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "moonlight_jupyter", "app": MoonlightExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "moonlight-hpc"}]
