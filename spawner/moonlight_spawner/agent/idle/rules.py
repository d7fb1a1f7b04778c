"""The decision, out of what was seen. Nothing here looks at anything."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.records import IdleOptions


@dataclass(frozen=True)
class Seen:
    """One look at a desktop. Times in seconds.

    Parameters
    ----------
    watching
        Streams that are open.
    unwatched
        Since the last one was, 0 while one is.
    untouched
        Since the last key or move of the pointer; 0 where that cannot be learned.
    cpu
        What the job computes, in percent of one CPU; None: not known yet.
    gpu
        How busy the busiest of its GPUs is, in percent; None: it has none, or it need not be asked.
    """

    watching: int
    unwatched: float
    untouched: float
    cpu: float | None
    gpu: float | None = None


@dataclass(frozen=True)
class Rules:
    """The site's settings, in seconds and percent. ``seconds`` 0: no session ends for being idle."""

    seconds: float
    warning: float
    watching: float
    cpu: float
    gpu: float
    ends_busy: bool

    @classmethod
    def of(cls, options: IdleOptions) -> Rules:
        seconds = options.minutes * 60
        return cls(
            seconds=seconds,
            # A short time is not all warning.
            warning=min(options.warning_minutes * 60, seconds * 3 / 4),
            watching=options.watching_minutes * 60,
            cpu=options.cpu_percent,
            gpu=options.gpu_percent,
            ends_busy=options.ends_busy,
        )


def unused(seen: Seen, rules: Rules) -> float:
    """For how many seconds nobody has used the desktop, by this look alone; 0: it is in use.

    It is used by who has it open (with ``watching``: for so long after he touched it last), by who types
    or moves the pointer, and by what computes. What is not known counts as use.
    """
    if not rules.ends_busy and computes(seen, rules):
        return 0.0
    watched = seen.unwatched
    if rules.watching:
        watched = max(watched, seen.untouched - rules.watching)
    return max(0.0, min(watched, seen.untouched))


def computes(seen: Seen, rules: Rules) -> bool:
    return seen.cpu is None or seen.cpu > rules.cpu or (seen.gpu or 0.0) > rules.gpu


class Quiet:
    """For how long nobody has used it, by all looks so far. Times are of one clock that only goes on."""

    def __init__(self, at: float):
        self.since = at

    def see(self, at: float, seen: Seen, rules: Rules) -> None:
        self.since = max(self.since, at - unused(seen, rules))

    def keep(self, at: float) -> None:
        """Somebody said that it is used, or nobody could look for a while."""
        self.since = max(self.since, at)

    def left(self, at: float, rules: Rules) -> float:
        """Seconds until it is ended; below 0 if that is overdue."""
        return self.since + rules.seconds - at


def warns(left: float, rules: Rules) -> bool:
    """Whether the user is to be told, with so many seconds to go."""
    return left <= rules.warning
