"""The JupyterHub door: a Jupyter server and a desktop in one Slurm job.

``c.JupyterHub.spawner_class = "moonlight"`` in jupyterhub_config.py; docs/jupyterhub.md has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .spawner import MoonlightSpawner

__all__ = ["MoonlightSpawner"]


def __getattr__(name: str) -> Any:
    """The spawner, once it is asked for: :mod:`.server` runs on nodes, and needs nothing of a Hub."""
    if name == "MoonlightSpawner":
        from .spawner import MoonlightSpawner

        return MoonlightSpawner
    raise AttributeError(name)
