"""How long what others do for us took, and whether it was done, told to whoever wants to know."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Called with who was asked (``slurm``, ``redis``, ``user_side``), for what (a command, an operation),
#: in how many seconds it answered or was given up, and whether it did what was asked. From any thread.
Observer = Callable[[str, str, float, bool], None]

_observers: list[Observer] = []


@dataclass
class Measure:
    done: bool = True


def observe(observer: Observer) -> Callable[[], None]:
    """Tell ``observer`` from now on; gives what ends that."""
    _observers.append(observer)
    return lambda: _observers.remove(observer)


@contextmanager
def measured(who: str, what: str) -> Iterator[Measure]:
    """Measure what happens within. An error that passes through, a cancelled wait too, is none done."""
    measure, begin = Measure(), time.monotonic()
    try:
        yield measure
    except BaseException:
        measure.done = False
        raise
    finally:
        for observer in list(_observers):
            observer(who, what, time.monotonic() - begin, measure.done)
