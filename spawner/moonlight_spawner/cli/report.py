"""``moonlight-hpc report``: what was used, from Slurm's accounting."""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from ..model.account import account
from ..scheduler.slurm_accounting import used
from ..scheduler.usage import BY, Figures, figures
from ..site.settings import load_site
from .drawing import bars_in, keep, look_at_plot, new_picture

# In a picture. A user's jobs may say that they were of as many images as he likes.
_MOST_BARS = 60
_HEADS = (
    "",
    "sessions",
    "hours",
    "GPU-hours",
    "wait, median",
    "wait, longest",
    "failures",
    "idle",
    "given back",
)


def add_commands(groups: Any) -> None:
    text = "Sessions, GPU-hours, waiting times and failures, from Slurm's accounting."
    report: argparse.ArgumentParser = groups.add_parser(
        "report", help="what was used: sessions, GPU-hours, waiting times", description=text
    )
    report.set_defaults(command=_report, alone=True, json=False)
    report.add_argument(
        "--since", type=_date, required=True, metavar="DATE", help="first day, or month"
    )
    report.add_argument("--until", type=_date, metavar="DATE", help="last day, included; today")
    report.add_argument("--by", choices=BY, default="user", help="what is summed up together")
    report.add_argument(
        "--all-users",
        action="store_true",
        default=os.geteuid() == 0,
        help="of everybody whose jobs Slurm shows you; root: always",
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--csv", action="store_true", help="print CSV")
    form.add_argument("--plot", type=Path, metavar="FILE", help="draw it: FILE.png or FILE.svg")


async def _report(options: argparse.Namespace) -> int:
    since = datetime.combine(options.since, datetime.min.time()).astimezone()
    last = options.until or date.today()
    if last < options.since:
        raise ValueError(f"--until {last} is before --since {options.since}.")
    until = datetime.combine(last + timedelta(days=1), datetime.min.time()).astimezone()
    if options.plot:
        look_at_plot(options.plot, "--csv needs nothing.")
    jobs = await used(load_site(), since, until, None if options.all_users else account().login)
    rows = figures(jobs, since, until, options.by, time.time())
    if options.plot:
        _draw(rows, f"{options.since} to {last}, by {options.by}", options.plot)
    elif options.json:
        told = {"since": str(options.since), "until": str(last), "by": options.by}
        print(
            json.dumps(
                {**told, "groups": [asdict(r) for r in rows[:-1]], "total": asdict(rows[-1])}
            )
        )
    elif options.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([field.name for field in fields(Figures)])
        writer.writerows(["" if v is None else v for v in asdict(row).values()] for row in rows)
    else:
        print(_table([(options.by, *_HEADS[1:]), *(_cells(row) for row in rows)]))
    return 0


def _date(text: str) -> date:
    """A day, or the first one of a month. The zone is this machine's."""
    try:
        return date.fromisoformat(text if len(text) != 7 else f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date: write 2026-11-01 or 2026-11"
        ) from None


def _cells(row: Figures) -> tuple[str, ...]:
    return (
        row.group,
        str(row.sessions),
        f"{row.hours:.1f}",
        f"{row.gpu_hours:.1f}",
        _minutes(row.wait_median_minutes),
        _minutes(row.wait_longest_minutes),
        str(row.failures),
        "-" if row.ended_idle is None else str(row.ended_idle),
        "-" if row.saved_gpu_hours is None else f"{row.saved_gpu_hours:.1f}",
    )


def _minutes(wait: float | None) -> str:
    return "-" if wait is None else f"{wait:.1f} min"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Names to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def _largest(groups: Sequence[Figures]) -> list[Figures]:
    """As many as a picture has room for, those of the fewest hours as one."""
    if len(groups) <= _MOST_BARS:
        return list(groups)
    by_hours = sorted(groups, key=lambda g: (g.hours, g.sessions), reverse=True)
    kept, rest = by_hours[: _MOST_BARS - 1], by_hours[_MOST_BARS - 1 :]
    others = Figures(
        f"{len(rest)} others",
        sum(g.sessions for g in rest),
        sum(g.hours for g in rest),
        sum(g.gpu_hours for g in rest),
        None,
        None,
        sum(g.failures for g in rest),
        *_idle_of(rest),
    )
    return [*(g for g in groups if g in kept), others]


def _idle_of(rows: Sequence[Figures]) -> tuple[int | None, float | None]:
    if any(row.ended_idle is None for row in rows):
        return None, None
    return sum(row.ended_idle or 0 for row in rows), sum(row.saved_gpu_hours or 0 for row in rows)


def _draw(rows: Sequence[Figures], title: str, file: Path) -> None:
    groups = _largest(rows[:-1])
    picture = new_picture(8, 2 + 0.35 * 2 * max(1, len(groups)))
    picture.suptitle(f"Moonlight HPC, {title}")
    hours, sessions = picture.subplots(2, 1)
    names = [g.group for g in groups]
    bars_in(hours, "GPU-hours", names, [g.gpu_hours for g in groups])
    bars_in(sessions, "sessions", names, [g.sessions for g in groups])
    keep(picture, file)
