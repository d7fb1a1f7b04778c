"""``moonlight-hpc session measure``: what a session's stream gives on its node, beside TigerVNC there."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.session import Session, State
from ..processes.caller import command_environment
from ..processes.mark import this_machine
from ..sessions.manager import SessionManager
from .command import add_command
from .drawing import bars_in, keep, look_at_plot, new_picture

if TYPE_CHECKING:  # loaded where it is measured: every other command starts sooner
    from ..agent.measure.measure import Measured

_SECONDS = 10.0
_LEAST, _MOST = 1.0, 300.0
#: Figure, unit, and what it is of a way.
_ROWS: Sequence[tuple[str, str, str]] = (
    ("frames", "1/s", "frames_per_second"),
    ("click to picture, median", "ms", "click_ms"),
    ("click to picture, 95 %", "ms", "click_ms_p95"),
    ("traffic", "kB/s", "traffic_kb_per_s"),
    ("CPU of X and streaming server", "% of a core", "cpu_percent"),
    ("GPU encoder", "%", "encoder_percent"),
)


def add_measure(commands: Any) -> None:
    text = "Measure the stream of a running desktop beside TigerVNC, on its node."
    parser = add_command(commands, "measure", _measure, text)
    parser.add_argument("session", metavar="SESSION")
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=_SECONDS,
        help=f"that a moving picture is watched, of each; {_SECONDS:g}",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw it: FILE.png or FILE.svg")


def _seconds(text: str) -> float:
    value = float(text)
    if not _LEAST <= value <= _MOST:
        raise argparse.ArgumentTypeError(f"{text} is not from {_LEAST:g} to {_MOST:g}")
    return value


async def _measure(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    if options.plot:
        look_at_plot(options.plot, "Without --plot the figures need nothing.")
    session = await manager.get(user, options.session)
    if session.status is not State.RUNNING:
        raise ValueError(
            f"{session.session_id} is {session.status.value}: a desktop that runs can be measured."
        )
    print(_warning(session, options.seconds), file=sys.stderr)
    found = await _measured(command(manager, session, options.seconds), session)
    if options.plot:
        _draw(found, options.plot)
    if options.json:
        print(json.dumps(json.loads(found.model_dump_json()), indent=2))
    else:
        print(table(found))
    return 0


def _warning(session: Session, seconds: float) -> str:
    return (
        f"Measuring on node {session.node} for about {2 * seconds + 30:.0f} s, on displays of its own: what "
        "is open on the desktop is not touched. It takes of the job's processors meanwhile."
    )


async def _measured(argv: Sequence[str], session: Session) -> Measured:
    """
    Raises
    ------
    ValueError
    """
    from ..agent.measure.measure import Measured
    from ..processes.kernel import die_with_parent

    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=command_environment("srun", os.environ),
            cwd="/",
            preexec_fn=lambda: die_with_parent(signal.SIGTERM),
        )
    except OSError as e:
        raise ValueError(f"{argv[0]} cannot be run here: {e.strerror}.") from e
    try:
        output, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    try:
        return Measured.model_validate_json(output)
    except ValueError as e:
        words = said.decode("utf-8", "replace").strip() or "It printed no figures."
        raise ValueError(f"{session.session_id} could not be measured: {words}") from e


def command(manager: SessionManager, session: Session, seconds: float) -> list[str]:
    """What measures on the session's node: in its job, within the processors, memory and GPUs that this has
    (srun(1), --overlap: beside its other steps).

    Raises
    ------
    ValueError
    """
    directory = manager.store.directory(session.session_id)
    size = session.screen or session.request.resolution
    argv = [*manager.site.agent_command, "--measure", str(directory), size, f"{seconds:g}"]
    if session.slurm_job_id:
        srun = manager.site.slurm_command("srun") or "srun"
        step = [srun, f"--jobid={session.slurm_job_id}", "--overlap", "--nodes=1", "--ntasks=1"]
        return [*step, f"--nodelist={session.node}", "--quiet", "--chdir=/", *argv]
    there = session.gateway.machine if session.gateway else ""
    if there != this_machine():
        raise ValueError(
            f"{session.session_id} runs on another machine ({session.node}): measure it there."
        )
    return argv


def table(found: Measured) -> str:
    """For a terminal."""
    heads = ["", *(way.name for way in found.ways)]
    lines = [
        [f"{name} ({unit})", *map(_cell, _values(found, field))] for name, unit, field in _ROWS
    ]
    rows = [heads, *lines]
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    told = [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]
    what = f"{found.session_id} on {found.node}: {found.resolution}, {found.fps} frames a second asked for, "
    note = "Seen on the node by a client that decodes nothing: network and browser take their time besides."
    return "\n".join([f"{what}{found.seconds:g} s each", "", *told, "", note])


def _values(found: Measured, field: str) -> list[float | None]:
    return [getattr(way, field) for way in found.ways]


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _draw(found: Measured, file: Path) -> None:
    drawn = [row for row in _ROWS if all(v is not None for v in _values(found, row[2]))]
    picture = new_picture(8, 1 + 1.2 * len(drawn))
    picture.suptitle(f"{found.resolution} on {found.node}")
    every = picture.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for axes, (name, unit, field) in zip(every, drawn, strict=True):
        values = [value or 0.0 for value in _values(found, field)]
        bars_in(axes, f"{name}, {unit}", [way.name for way in found.ways], values)
        axes.margins(x=0.15)
    keep(picture, file)
