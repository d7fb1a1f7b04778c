"""``moonlight-hpc serve``: the service of a portal, for many users."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ..processes import loop
from ..site.settings import load_site_alone


def add_commands(groups: Any) -> None:
    serve: argparse.ArgumentParser = groups.add_parser(
        "serve",
        help="(for the portal) the REST API and the page for many users",
        description="Serves /api/moonlight and /moonlight to the users of a portal, who come with its "
        "tokens: see docs/portal.md. It runs as an account of its own.",
    )
    serve.set_defaults(command=_serve, run=loop.run, alone=True, json=False)
    serve.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the site's settings, if not in /etc/moonlight-hpc",
    )


async def _serve(options: argparse.Namespace) -> int:
    if os.geteuid() == 0:
        raise ValueError(
            "serve is not run as root: it needs an account of its own, which may act as the portal's "
            "users by deploy/sudoers/moonlight-hpc and as nobody else."
        )
    try:
        # Not an import of this package: it is installed without the server, too.
        service = import_module("moonlight_jupyter.portal.service")
    except ModuleNotFoundError as e:
        print(
            f"moonlight-hpc: serve needs {e.name}, which is not installed here: "
            "pip install 'moonlight-hpc[portal]'.",
            file=sys.stderr,
        )
        return 1
    status: int = await service.serve(load_site_alone(options.config))
    return status
