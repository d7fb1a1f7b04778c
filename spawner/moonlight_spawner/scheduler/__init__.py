"""Batch systems behind one small interface."""

from ..site.options import MoonlightSite
from .base import JobRequest, Scheduler, Snapshot


def make_scheduler(site: MoonlightSite, root: str) -> Scheduler:
    """The batch system of the site; ``root`` is the user's sessions directory."""
    if site.batch_system == "slurm":
        from .slurm import SlurmScheduler

        return SlurmScheduler(site)
    from .local import LocalScheduler

    return LocalScheduler(site, root)


__all__ = ["JobRequest", "Scheduler", "Snapshot", "make_scheduler"]
