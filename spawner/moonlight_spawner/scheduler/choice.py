"""Which batch system a site has."""

from __future__ import annotations

from ..site.options import MoonlightSite
from .base import Scheduler


def make_scheduler(site: MoonlightSite, root: str) -> Scheduler:
    """The batch system of the site; ``root`` is the user's sessions directory."""
    if site.batch_system == "slurm":
        from .slurm import SlurmScheduler

        return SlurmScheduler(site)
    from .local import LocalScheduler

    return LocalScheduler(site, root)
