"""The batch script of a session."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from ..processes.environment import KEPT
from ..site.options import MoonlightSite

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def job_script(site: MoonlightSite, session_id: str, directory: Path) -> str:
    """The script that sbatch reads from its standard input.

    Values are quoted for the shell here; the site's ``job_prologue`` alone is taken as it is,
    because it is shell by purpose.

    Raises
    ------
    ValueError
        ``job_environment`` has a name that no shell takes.
    """
    for name in site.job_environment:
        if not _NAME.fullmatch(name):
            raise ValueError(f"job_environment has {name!r}, which is no name of a variable.")
    import jinja2  # here: its import is a tenth of what every command's start takes

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["quote"] = shlex.quote
    return environment.get_template("job.sh.j2").render(
        session_id=session_id,
        environment=dict(site.job_environment),
        prologue=site.job_prologue.strip(),
        command=site.agent_command,
        # Script and directory meet as bytes, whatever this process takes for the charset of files.
        directory=os.fsencode(directory).decode("utf-8", "surrogateescape"),
        kept=KEPT,
    )
