"""The list of checks, in the order in which a launch needs them."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import sys
from pathlib import Path

from ..errors import MoonlightError
from ..images import HOST_DESKTOP, Catalogue, data_file
from ..scheduler.command import CommandMissing, CommandTimeout, Result, run
from ..site import MoonlightSite
from ..store import FileStore
from ..trust import exchangeable
from .ask import answer, last_line
from .finding import SECONDS, Check, Finding
from .node import NODE_CHECKS

_WANTED_BYTES = 200 * 1024 * 1024


async def examine(site: MoonlightSite) -> list[Finding]:
    """All checks of the host on which sessions are launched."""
    checks: list[Check] = [_batch_system]
    if site.batch_system == "slurm":
        checks += [_controller, _partition, _qos, _gpus, _accounting]
    checks += [_records, _space, _images, _agent, _extension, _pages]
    findings = [await _found_by(check, site) for check in checks]
    if site.batch_system == "local":
        findings += await examine_node(site)
    return findings


async def examine_node(site: MoonlightSite) -> list[Finding]:
    """What a node needs; run it on one: ``srun … moonlight-hpc doctor --node``."""
    return [await _found_by(check, site) for check in NODE_CHECKS]


async def _found_by(check: Check, site: MoonlightSite) -> Finding:
    """One that fails itself is a finding like another: the rest is wanted all the same."""
    try:
        return await check(site)
    except Exception as e:
        name = check.__name__.strip("_").replace("_", " ")
        fix = "This check could not be done here; the others count all the same."
        return Finding(name, False, f"{type(e).__name__}: {e}", fix)


async def _batch_system(site: MoonlightSite) -> Finding:
    name = "batch system"
    if site.batch_system == "local":
        return Finding(name, True, "none: sessions run on this machine itself")
    missing = [c for c in ("sbatch", "squeue", "scancel", "sacct") if not site.slurm_command(c)]
    if missing:
        fix = "Install Slurm's client commands here, or name their directory in `slurm_bin`."
        return Finding(name, False, f"{', '.join(missing)} not found", fix)
    return Finding(name, True, f"Slurm, {site.slurm_command('sbatch')}")


async def _controller(site: MoonlightSite) -> Finding:
    result = await _ask(site, "squeue", "--noheader", "--me", "--format=%i")
    if result.status == 0:
        return Finding("controller", True, "slurmctld answers")
    fix = "Is slurmctld up, and does SLURM_CONF name the right file? `scontrol ping` tells."
    return Finding("controller", False, _first_line(result.errors), fix)


async def _partition(site: MoonlightSite) -> Finding:
    name = f"partition {site.partition}"
    result = await _ask(
        site, "sinfo", "--noheader", f"--partition={site.partition}", "--format=%a %D"
    )
    words = result.output.split()
    if result.status or not words:
        fix = "Correct the setting `partition`, or make the partition in slurm.conf."
        return Finding(name, False, "the cluster has none of that name", fix)
    if words[0] != "up":
        fix = f"scontrol update PartitionName={site.partition} State=UP"
        return Finding(name, False, f"it is {words[0]}", fix)
    return Finding(name, True, f"up, {words[1]} nodes")


async def _qos(site: MoonlightSite) -> Finding:
    name = f"QoS {site.qos}"
    result = await _ask(
        site, "sacctmgr", "-n", "-P", "show", "qos", f"name={site.qos}", "format=name"
    )
    if result.status:
        return Finding(name, False, _first_line(result.errors), "Is slurmdbd up?")
    if site.qos not in result.output.split():
        fix = f"Run {_create_qos()} --account ACCOUNT as Slurm's administrator."
        return Finding(name, False, "it does not exist", fix)
    me = FileStore(site.sessions_dir).user
    allowed = await _ask(
        site, "sacctmgr", "-n", "-P", "show", "assoc", f"user={me}", "format=qos", "withsubaccounts"
    )
    if not any(site.qos in line.split(",") for line in allowed.output.split()):
        fix = f"Run {_create_qos()} --user {me}, or --account with the account of {me}."
        return Finding(name, False, f"user {me} may not use it", fix)
    return Finding(name, True, f"user {me} may use it")


def _create_qos() -> str:
    with contextlib.suppress(FileNotFoundError):
        return str(data_file("deploy", "slurm", "create-qos"))
    return "deploy/slurm/create-qos"


async def _gpus(site: MoonlightSite) -> Finding:
    result = await _ask(site, "sinfo", "--noheader", f"--partition={site.partition}", "--format=%G")
    found = sorted({g for g in result.output.split() if "gpu" in g})
    if found:
        return Finding("GPUs", True, ", ".join(found))
    if site.gpus == 0:
        return Finding("GPUs", True, "the partition has none, and none is asked for by default")
    fix = "Set `gpus` to 0, or give the nodes Gres=gpu in slurm.conf and gres.conf."
    return Finding("GPUs", False, f"partition {site.partition} has none", fix)


async def _accounting(site: MoonlightSite) -> Finding:
    result = await _ask(site, "sacct", "--noheader", "--allocations", "--format=JobID")
    if result.status == 0:
        return Finding("accounting", True, "sacct answers")
    fix = "Ends of jobs that slurmctld has forgotten stay unknown. Is slurmdbd up?"
    return Finding("accounting", False, _first_line(result.errors), fix)


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


async def _images(site: MoonlightSite) -> Finding:
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


async def _ask(site: MoonlightSite, command: str, *arguments: str) -> Result:
    try:
        return await run([site.slurm_command(command) or command, *arguments], SECONDS)
    except (CommandMissing, CommandTimeout) as e:
        return Result(1, "", str(e))


def _first_line(text: str) -> str:
    return next((line for line in text.strip().splitlines() if line), "no answer")
