"""The JupyterHub door: a Jupyter server and a desktop in one Slurm job.

``c.JupyterHub.spawner_class = "moonlight"`` in jupyterhub_config.py; docs/jupyterhub.md has the rest.
"""

from .spawner import MoonlightSpawner

__all__ = ["MoonlightSpawner"]
