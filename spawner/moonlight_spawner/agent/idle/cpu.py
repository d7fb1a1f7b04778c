"""What a session's job computes, from the kernel's own counts; reading them wakes nothing.

The job's control group counts all that runs in it (cgroups(7)); where there is none that is the job's
alone, its processes are added up.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ...processes.offspring import descendants

_TICKS = os.sysconf("SC_CLK_TCK")
#: A process by its number and the moment of its start: numbers are given anew.
_Process = tuple[int, int]


class CpuUse:
    """CPU seconds of a job, between one look and the next.

    Parameters
    ----------
    job
        Slurm's number of the job, empty without one.
    above
        The process below which all of the session's are.
    """

    def __init__(self, job: str, above: int):
        self._job = job
        self._above = above
        self._group = _group_of(job) if job else None
        self._counted: float | None = None
        self._processes: dict[_Process, float] | None = None

    def since_last(self) -> float | None:
        """CPU seconds since the last call; None at the first one. Blocks for some milliseconds at most
        where the job has a group, and for some more on a node with many processes where it has none."""
        counted = _group_seconds(self._group) if self._group else None
        if counted is not None:
            before, self._counted = self._counted, counted
            return None if before is None else max(0.0, counted - before)
        known, self._processes = self._processes, dict(self._each())
        if known is None:
            return None
        # A new one has begun since; of one that has ended its parent has the rest.
        return sum(max(0.0, s - known.get(one, 0.0)) for one, s in self._processes.items())

    def _each(self) -> Iterator[tuple[_Process, float]]:
        pids = {self._above, *descendants(self._above)}
        if self._job:  # steps of the job's are children of Slurm's daemon
            pids |= set(_in_job(self._job))
        for pid in pids:
            with contextlib.suppress(OSError, ValueError, IndexError):
                # proc(5): behind the name in brackets, which may hold anything
                stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
                yield (pid, int(stat[19])), sum(map(int, stat[11:15])) / _TICKS


def _in_job(job: str) -> Iterator[int]:
    """This user's processes whose environment names the job."""
    mark = f"SLURM_JOB_ID={job}".encode()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == os.geteuid():
                    environment = Path(entry.path, "environ").read_bytes()
                    if mark in environment.split(b"\0"):
                        yield int(entry.name)


def _group_of(job: str, root: Path = Path("/sys/fs/cgroup"), own: str = "") -> Path | None:
    """The file that counts what all of the job computes: ``cpu.stat`` or ``cpuacct.usage``."""
    try:
        lines = own or Path("/proc/self/cgroup").read_text()
    except OSError:
        return None
    for line in lines.splitlines():
        _, controllers, path = line.split(":", 2)
        # The batch step, a task of it, … have groups of their own below that of the job.
        above, found, _ = f"{path}/".partition(f"/job_{job}/")
        if not found:
            continue
        below = f"{above}/job_{job}".lstrip("/")
        if not controllers:
            places = [root / below / "cpu.stat", root / "unified" / below / "cpu.stat"]
        elif "cpuacct" in controllers.split(","):
            mounts = (controllers, "cpuacct")
            places = [root / mount / below / "cpuacct.usage" for mount in mounts]
        else:
            continue
        for place in places:
            if _group_seconds(place) is not None:
                return place
    return None


def _group_seconds(file: Path) -> float | None:
    try:
        text = file.read_text()
        if file.name == "cpuacct.usage":
            return int(text) / 1e9
        return int(dict(line.split() for line in text.splitlines())["usage_usec"]) / 1e6
    except (OSError, ValueError, KeyError):
        return None
