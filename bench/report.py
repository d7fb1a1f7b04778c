"""Figures, the ratios between them, what they should be, and how that is printed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Aim:
    """What the ratio of ``route`` to ``against`` should be: at least or at most ``limit``. With no
    ``against`` it is of the figure itself."""

    route: str
    against: str
    limit: float


@dataclass
class Measure:
    """One quantity over several routes, once a round.

    ``values[route][round]`` are its figures. A ratio is taken within each round, where both routes
    had the same machine, and the median of the rounds' ratios counts.
    """

    name: str
    unit: str
    more_is_better: bool
    aims: list[Aim] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    base: str = "direct"  # the route that the others are compared with

    def add(self, route: str, value: float) -> None:
        self.values.setdefault(route, []).append(value)

    def median(self, route: str) -> float:
        return statistics.median(self.values[route])

    def ratio(self, route: str, against: str) -> float | None:
        ratios = self._ratios(route, against)
        return statistics.median(ratios) if ratios else None

    def spread(self, route: str, against: str) -> tuple[float, float] | None:
        """Between which ratios the middle half of the rounds lies; None for too few rounds."""
        ratios = self._ratios(route, against)
        if len(ratios) < 4:
            return None
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return low, high

    def verdict(self, aim: Aim) -> str:
        """``met`` or ``missed`` by the median ratio; ``…, unclear`` if the middle half of the rounds
        reaches over the limit. Too few rounds give no verdict."""
        ratio, spread = self.ratio(aim.route, aim.against), self.spread(aim.route, aim.against)
        if ratio is None:
            return "not measured"
        if spread is None:
            return "too few rounds"
        median = "met" if (ratio >= aim.limit) == self.more_is_better else "missed"
        return median + ", unclear" * (spread[0] < aim.limit < spread[1])

    def _ratios(self, route: str, against: str) -> list[float]:
        if not against:
            return self.values.get(route, [])
        pairs = zip(self.values.get(route, []), self.values.get(against, []), strict=False)
        return [value / base for value, base in pairs if base]

    def as_json(self) -> dict[str, Any]:
        routes = {
            route: {
                "median": _rounded(self.median(route)),
                "rounds": [_rounded(value) for value in values],
                f"ratio_to_{self.base}": _rounded(self.ratio(route, self.base)),
            }
            for route, values in self.values.items()
        }
        aims = [
            {
                **asdict(aim),
                "ratio": _rounded(self.ratio(aim.route, aim.against)),
                "middle_half": [_rounded(r) for r in self.spread(aim.route, aim.against) or ()],
                "verdict": self.verdict(aim),
            }
            for aim in self.aims
        ]
        better = "more" if self.more_is_better else "less"
        return {
            "name": self.name,
            "unit": self.unit,
            "better": better,
            "routes": routes,
            "aims": aims,
        }


@dataclass
class Part:
    """The measures of one part of the benchmark, in the order of their first figure."""

    name: str
    measures: dict[str, Measure] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def with_peer(self, name: str, visit: Callable[[], T]) -> T | None:
        """What ``visit`` gives; a peer that does not run is left out with the reason, from now on.

        Its own figures alone are missing then.
        """
        if name in self.left_out:
            return None
        try:
            return visit()
        except Exception as e:
            first, _, _ = str(e).strip().partition("\n")
            self.left_out[name] = f"{type(e).__name__}: {first}"
            return None

    def measure(
        self,
        name: str,
        unit: str,
        more_is_better: bool,
        aims: Iterable[Aim] = (),
        base: str = "direct",
    ) -> Measure:
        """The measure of that name, made at the first call."""
        new = Measure(name, unit, more_is_better, list(aims), base=base)
        return self.measures.setdefault(name, new)

    def as_json(self) -> list[dict[str, Any]]:
        return [measure.as_json() for measure in self.measures.values()]

    def lines(self) -> list[str]:
        """The part as a table: a head for each measure, a line for each route."""
        lines = [f"\n== {self.name} =="]
        lines += [f"\n{name} is left out. {why}" for name, why in self.left_out.items()]
        for measure in self.measures.values():
            lines.append(f"\n{measure.name} [{measure.unit}]")
            for route in measure.values:
                lines.append(_line(measure, route))
        return lines


def _line(measure: Measure, route: str) -> str:
    line = f"  {route:30} {_text(measure.median(route)):>8}"
    ratio = measure.ratio(route, measure.base)
    if ratio is not None and route != measure.base:
        line += f" {_text(ratio):>8} x {measure.base}{_range(measure, route, measure.base):17}"
    for aim in measure.aims:
        found = measure.ratio(aim.route, aim.against)
        if aim.route != route or found is None:
            continue
        sign = ">=" if measure.more_is_better else "<="
        line += f"  aim {sign} {aim.limit:g}"
        line += f" x {aim.against}" if aim.against else f" {measure.unit}"
        if aim.against not in ("", measure.base):
            line += f", is {_text(found)}{_range(measure, route, aim.against)}"
        line += f": {measure.verdict(aim).upper()}"
    return line


def _range(measure: Measure, route: str, against: str) -> str:
    spread = measure.spread(route, against)
    return f" ({_text(spread[0])} to {_text(spread[1])})" if spread else ""


def _text(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
