"""``python -m bench``: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

from moonlight_spawner.processes.kernel import become_subreaper
from moonlight_spawner.processes.offspring import end_descendants

from . import machine

PARTS = ("relay", "browser", "launch", "webrtc", "portal")
#: What root measures itself, because it makes accounts, and name spaces.
_ROOTS = ("webrtc", "portal")


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 if everything ran, whatever the figures; 1 if something did not; 2 for usage."""
    options = _parser().parse_args(argv)
    _find_browsers()
    signal.signal(signal.SIGTERM, _leave)
    result: dict[str, Any] | None = None
    others = [name for name in options.only if name not in _ROOTS]
    if os.geteuid() == 0 and others:
        from .account import run_as_ordinary_user

        told = [*(sys.argv[1:] if argv is None else argv), f"--only={','.join(others)}"]
        result = run_as_ordinary_user(told, options.slurm)
    own = [name for name in options.only if os.geteuid() != 0 or name in _ROOTS]
    if own and (result or own == options.only):
        become_subreaper()
        try:
            result = _measure(options, own, result)
        finally:
            end_descendants()
    if options.result_fd is not None:
        with open(options.result_fd, "w") as pipe:
            json.dump(result, pipe)
    elif result and options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / "results.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        _say(f"\nwritten: {path}")
    return 0 if result and not result["failed"] else 1


def _find_browsers() -> None:
    """Where `make bench` puts Playwright's own Chromium, if this machine needs it."""
    brought = Path(sys.prefix) / "browsers"
    if brought.is_dir():
        os.environ.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(brought))


def _leave(signum: int, frame: FrameType | None) -> None:
    """TERM ends everything in order, as an exception does."""
    raise SystemExit(128 + signum)


def _measure(
    options: argparse.Namespace, names: Sequence[str], result: dict[str, Any] | None
) -> dict[str, Any]:
    """Into ``result``, if others have measured before."""
    result = result or {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "quick": options.quick,
        "machine": machine.facts(),
        "parts": {},
        "left_out": {},
        "failed": {},
    }
    for name in names:
        with tempfile.TemporaryDirectory(prefix="mlb-") as directory:
            try:
                module = importlib.import_module(f"bench.{name}")
                part = module.run(Path(directory), options, _say)
            except Exception as e:
                traceback.print_exc()  # its text may name files, which do not belong in a result
                result["failed"][name] = type(e).__name__
                continue
        result["parts"][name] = part.as_json()
        if part.left_out:  # their names: a reason may name files, which do not belong in a result
            result["left_out"][name] = list(part.left_out)
        print("\n".join(part.lines()), flush=True)
    result["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    print(
        "\nload of the machine before and after: {load_before}, {load_after}".format_map(
            result["machine"]
        )
    )
    for name, why in result["failed"].items():
        print(f"\n{name} did not run: {why}, see above", flush=True)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="See docs/performance.md.")
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that it works")
    parser.add_argument("--only", type=_parts, default=list(PARTS), help=",".join(PARTS))
    parser.add_argument("--out", type=Path, help="directory for results.json")
    parser.add_argument("--slurm", action="store_true", help="launch through a private Slurm, too")
    parser.add_argument("--result-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _parts(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    wrong = [name for name in names if name not in PARTS]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(PARTS)}")
    return names


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
