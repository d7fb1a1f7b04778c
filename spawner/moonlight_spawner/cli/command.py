"""What the commands have in common."""

from __future__ import annotations

import argparse
from typing import Any


def add_command(commands: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    """A command whose ``function`` takes ``(manager, user, options)`` and gives the exit status."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=function)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser
