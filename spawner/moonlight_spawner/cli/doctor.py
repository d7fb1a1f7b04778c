"""``moonlight-hpc doctor``: what is wrong with an installation."""

from __future__ import annotations

import argparse
from typing import Any

from ..doctor import examine, examine_node
from ..site.settings import load_site
from .command import add_command
from .findings import tell_findings


def add_commands(groups: Any) -> None:
    text = "look for what is wrong with an installation"
    doctor = add_command(groups, "doctor", _doctor, text)
    doctor.set_defaults(alone=True)  # also where no manager can be made
    doctor.add_argument(
        "--node", action="store_true", help="what a compute node needs; run it on one"
    )


async def _doctor(options: argparse.Namespace) -> int:
    site = load_site()
    findings = await (examine_node(site) if options.node else examine(site))
    return tell_findings(findings, options.json)
