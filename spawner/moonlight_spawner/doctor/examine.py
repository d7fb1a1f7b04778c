"""The list of checks, in the order in which a launch needs them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path

from ..model.errors import MoonlightError
from ..model.trust import exchangeable
from ..site.images import HOST_DESKTOP, Catalogue
from ..site.options import MoonlightSite
from ..store import FileStore
from . import cluster
from .ask import answer, last_line
from .finding import SECONDS, Check, Finding, found_by
from .node import NODE_CHECKS
from .sight import a_node
from .turn import turn, used

_WANTED_BYTES = 200 * 1024 * 1024


async def examine(site: MoonlightSite) -> list[Finding]:
    """All checks of the host on which sessions are launched.

    Side by side: a controller that hangs is waited for once, and for all of them.
    """
    checks: list[Check] = [_settings, _batch_system]
    later: list[Check] = [_records, _space, images, _agent, _extension, _pages]
    if site.batch_system == "slurm":
        later.append(_launcher)
    if used(site):
        later.append(turn)
    slurm, others = await asyncio.gather(
        _slurm(site), asyncio.gather(*(found_by(check, site) for check in [*checks, *later]))
    )
    findings = [*others[: len(checks)], *slurm, *others[len(checks) :]]
    if site.batch_system == "local":
        findings += await examine_node(site)
    return findings


async def _slurm(site: MoonlightSite) -> list[Finding]:
    """The controller; where it answers, what it and the accounting have for this site's sessions."""
    if site.batch_system != "slurm":
        return []
    controller = await found_by(cluster.controller, site)
    if not controller.good:  # whatever else is asked would only say the same, and later
        return [controller]
    checks = (cluster.partition, cluster.qos, cluster.gpus, cluster.accounting, a_node)
    return [controller, *await asyncio.gather(*(found_by(check, site) for check in checks))]


async def examine_node(site: MoonlightSite) -> list[Finding]:
    """What a node needs; run it on one: ``srun … moonlight-hpc doctor --node``."""
    return [await found_by(check, site) for check in NODE_CHECKS]


async def _batch_system(site: MoonlightSite) -> Finding:
    name = "batch system"
    if site.batch_system == "local":
        return Finding(name, True, "none: sessions run on this machine itself")
    missing = [c for c in ("sbatch", "squeue", "scancel", "sacct") if not site.slurm_command(c)]
    if missing:
        fix = "Install Slurm's client commands here, or name their directory in `slurm_bin`."
        return Finding(name, False, f"{', '.join(missing)} not found", fix)
    return Finding(name, True, f"Slurm, {site.slurm_command('sbatch')}")


async def _settings(site: MoonlightSite) -> Finding:
    text = " ".join(site.unknown_settings)
    if not text:
        return Finding("settings", True, "each name is known")
    return Finding("settings", True, text, "Correct the name, or remove it.", odd=True)


async def _records(site: MoonlightSite) -> Finding:
    fix = "It has to be root's and sticky: install -d -o root -m 1777 {}"
    try:
        root = FileStore(site.sessions_dir).root
    except (MoonlightError, OSError) as e:
        return Finding("records", False, str(e), fix.format(site.sessions_dir))
    for name in (site.logs_dir, site.sandboxes_dir):
        why = exchangeable(name) if name else ""
        if why:
            return Finding("records", False, why, fix.format(name))
    return Finding("records", True, str(root))


async def _space(site: MoonlightSite) -> Finding:
    directory = Path(site.sessions_dir)
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    text = f"{free / 1e9:.1f} GB free in {directory}"
    return Finding(
        "space", free > _WANTED_BYTES, text, "Sessions write records and logs: make room."
    )


async def images(site: MoonlightSite) -> Finding:
    usable = [image.id for image in Catalogue(site).all() if image.available]
    if usable and usable != [HOST_DESKTOP]:
        return Finding("images", True, ", ".join(usable))
    if usable:
        return Finding(
            "images", True, f"none in {site.images_dir}: the node's own desktop is offered"
        )
    fix = f"Put sunshine_*.sif into {site.images_dir}, or set `host_desktop` to auto."
    return Finding("images", False, "nothing can be launched", fix)


async def _agent(site: MoonlightSite) -> Finding:
    command = list(site.agent_command)
    fix = "Correct the setting `agent_command`; it must exist on the nodes under the same path."
    if not command:
        return Finding("agent", False, "`agent_command` is empty", fix)
    # As a job calls it, so that a wrapper script is tried, too.
    said = await answer([*command, "--version"], SECONDS)
    if said.ended:
        return Finding("agent", False, said.why, fix)
    return Finding("agent", True, f"{last_line(said.output)} ({command[0]})")


async def _extension(site: MoonlightSite) -> Finding:
    name = "Jupyter extension"
    if importlib.util.find_spec("moonlight_jupyter") is None:
        return Finding(
            name, False, "not installed here", "Install moonlight-hpc with pip into this Python."
        )
    config = Path(sys.prefix) / "etc/jupyter/jupyter_server_config.d/moonlight_jupyter.json"
    if not config.exists():
        fix = "jupyter server extension enable moonlight_jupyter"
        return Finding(name, False, "installed and not enabled", fix)
    return Finding(name, True, "installed and enabled")


async def _pages(site: MoonlightSite) -> Finding:
    spec = importlib.util.find_spec("moonlight_jupyter")
    package = Path(spec.origin).parent if spec and spec.origin else None
    card = Path(sys.prefix) / "share/jupyter/labextensions/moonlight-hpc/package.json"
    if package and (package / "static/index.html").exists() and card.exists():
        return Finding("web pages", True, "session page and JupyterLab card")
    fix = "Install a wheel of moonlight-hpc, or in a checkout: make install."
    return Finding("web pages", False, "not built", fix)


async def _launcher(site: MoonlightSite) -> Finding:
    """Whether JupyterLab has a card besides ours that starts a desktop in no job.

    selkies brings one for jupyter-server-proxy, which takes every such entry of its environment and
    has no setting against one (selkies 2.1.0, jupyter-server-proxy 4.6).
    """
    name = "JupyterLab's launcher"
    entries = importlib.metadata.entry_points(group="jupyter_serverproxy_servers", name="selkies")
    if not entries or importlib.util.find_spec("jupyterlab") is None:
        return Finding(name, True, "no card starts a desktop past the batch system")
    return Finding(
        name,
        True,
        "selkies' own card (Selkies) starts a desktop on the machine of JupyterLab itself, in no job",
        "Give JupyterLab an environment of its own, without selkies: docs/install.md.",
        odd=True,
    )
