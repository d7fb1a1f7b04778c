"""``moonlight-hpc doctor``: what is wrong with an installation."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..doctor import examine, examine_node, examine_portal
from ..site.settings import load_site, load_site_alone
from .command import add_command
from .findings import tell_findings


def add_commands(groups: Any) -> None:
    text = "look for what is wrong with an installation"
    doctor = add_command(groups, "doctor", _doctor, text)
    doctor.set_defaults(alone=True)  # also where no manager can be made
    where = doctor.add_mutually_exclusive_group()
    where.add_argument(
        "--node", action="store_true", help="what a compute node needs; run it on one"
    )
    where.add_argument(
        "--portal",
        action="store_true",
        help="what a portal's machine needs; run it there, as root or as the service's account",
    )
    doctor.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="with --portal: the settings that its service has, if not those in /etc/moonlight-hpc",
    )


async def _doctor(options: argparse.Namespace) -> int:
    if options.portal:
        site = load_site_alone(options.config)
        return tell_findings(await examine_portal(site, options.config), options.json)
    if options.config:
        raise ValueError(
            "--config belongs to --portal: elsewhere MOONLIGHT_HPC_CONFIG names a file."
        )
    site = load_site()
    findings = await (examine_node(site) if options.node else examine(site))
    return tell_findings(findings, options.json)
