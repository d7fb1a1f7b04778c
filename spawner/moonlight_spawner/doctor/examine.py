"""The list of checks, in the order in which a launch needs them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import shutil
import sys
from pathlib import Path

from ..model.account import account
from ..model.errors import MoonlightError
from ..model.trust import exchangeable
from ..site.images import HOST_DESKTOP, Catalogue, data_file
from ..site.options import MoonlightSite
from ..store import FileStore
from .ask import answer, last_line, slurm
from .finding import SECONDS, Check, Finding
from .node import NODE_CHECKS
from .sight import a_node

_PING_SECONDS = 7.0  # twice that, and nobody has to wait longer for a controller that is away
_WANTED_BYTES = 200 * 1024 * 1024


async def examine(site: MoonlightSite) -> list[Finding]:
    """All checks of the host on which sessions are launched.

    Side by side: a controller that hangs is waited for once, and for all of them.
    """
    checks: list[Check] = [_settings, _batch_system]
    later: list[Check] = [_records, _space, _images, _agent, _extension, _pages]
    slurm, others = await asyncio.gather(
        _slurm(site), asyncio.gather(*(_found_by(check, site) for check in [*checks, *later]))
    )
    findings = [*others[: len(checks)], *slurm, *others[len(checks) :]]
    if site.batch_system == "local":
        findings += await examine_node(site)
    return findings


async def _slurm(site: MoonlightSite) -> list[Finding]:
    """The controller; where it answers, what it and the accounting have for this site's sessions."""
    if site.batch_system != "slurm":
        return []
    controller = await _found_by(_controller, site)
    if not controller.good:  # whatever else is asked would only say the same, and later
        return [controller]
    checks = (_partition, _qos, _gpus, _accounting, a_node)
    return [controller, *await asyncio.gather(*(_found_by(check, site) for check in checks))]


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


async def _settings(site: MoonlightSite) -> Finding:
    text = " ".join(site.unknown_settings)
    if not text:
        return Finding("settings", True, "each name is known")
    return Finding("settings", True, text, "Correct the name, or remove it.", odd=True)


async def _controller(site: MoonlightSite) -> Finding:
    """Asked by a ping first: squeue waits for a dead controller three times as long as anybody wants
    to (18 s), a ping gives up at once, or waits 10 s for one that hangs."""
    fix = "Is slurmctld up, and does SLURM_CONF name the right file? `scontrol ping` tells. "
    fix += "What depends on it was not looked at."
    said = await slurm(site, "scontrol", "ping", seconds=_PING_SECONDS)
    if said.ended:
        why = last_line(said.output) if "DOWN" in said.output else said.why
        return Finding("controller", False, f"slurmctld does not answer: {why}", fix)
    said = await slurm(site, "squeue", "--noheader", "--me", "--format=%i", seconds=_PING_SECONDS)
    if said.ended:
        return Finding("controller", False, said.why, fix)
    return Finding("controller", True, "slurmctld answers")


async def _partition(site: MoonlightSite) -> Finding:
    name = f"partition {site.partition}" if site.partition else "default partition"
    found = await _partition_line(site)
    if found is None:
        fix = "Correct the setting `partition`, or make the partition in slurm.conf."
        return Finding(name, False, "the cluster has none of that name", fix)
    partition, state, nodes = found
    if state != "up":
        fix = f"scontrol update PartitionName={partition} State=UP"
        return Finding(name, False, f"it is {state}", fix)
    return Finding(name, True, f"{'' if site.partition else partition + ', '}up, {nodes} nodes")


async def _partition_line(site: MoonlightSite) -> tuple[str, str, str] | None:
    """Name, state and number of nodes of the partition that sessions go to."""
    said = await slurm(site, "sinfo", "--noheader", "--all", "--format=%P %a %D")
    for line in said.output.splitlines() if not said.ended else ():
        words = line.split()
        if len(words) != 3:
            continue
        default, name = words[0].endswith("*"), words[0].rstrip("*")
        if name == site.partition or (default and not site.partition):
            return name, words[1], words[2]
    return None


async def _qos(site: MoonlightSite) -> Finding:
    if not site.qos:
        return Finding("QoS", True, "none is asked for: Slurm's default counts")
    name = f"QoS {site.qos}"
    said = await slurm(
        site, "sacctmgr", "-n", "-P", "show", "qos", f"name={site.qos}", "format=name"
    )
    if said.ended:
        return Finding(name, False, said.first, "Is slurmdbd up?")
    if site.qos not in said.output.split():
        fix = f"Run {_create_qos()} --account ACCOUNT as Slurm's administrator."
        return Finding(name, False, "it does not exist", fix)
    me = account().name
    options = (f"user={me}", "format=user,qos", "withsubaccounts")
    allowed = await slurm(site, "sacctmgr", "-n", "-P", "show", "assoc", *options)
    rows = [line.split("|") for line in allowed.output.splitlines() if line.count("|") == 1]
    known = {user for user, _ in rows}
    if known and me not in known:  # sbatch: "Invalid account or account/partition combination"
        fix = "Set Parameters=PreserveCaseUser in slurmdbd.conf, and add the user once more."
        text = f"Slurm knows {' and '.join(known)}, but not {me}: it writes names in lower case"
        return Finding(name, False, text, fix)
    if not any(site.qos in qos.split(",") for _, qos in rows):
        fix = f"Run {_create_qos()} --user {me}, or --account with the account of {me}."
        return Finding(name, False, f"user {me} may not use it", fix)
    return Finding(name, True, f"user {me} may use it")


def _create_qos() -> str:
    with contextlib.suppress(FileNotFoundError):
        return str(data_file("deploy", "slurm", "create-qos"))
    return "deploy/slurm/create-qos"


async def _gpus(site: MoonlightSite) -> Finding:
    found = await _partition_line(site)
    partition = found[0] if found else site.partition
    said = await slurm(site, "sinfo", "--noheader", f"--partition={partition}", "--format=%G")
    gpus = sorted({g for g in said.output.split() if "gpu" in g})
    if gpus:
        return Finding("GPUs", True, ", ".join(gpus))
    if site.gpus == 0:
        return Finding("GPUs", True, "the partition has none, and none is asked for by default")
    fix = "Set `gpus` to 0, or give the nodes Gres=gpu in slurm.conf and gres.conf."
    return Finding("GPUs", False, f"partition {partition} has none", fix)


async def _accounting(site: MoonlightSite) -> Finding:
    said = await slurm(site, "sacct", "--noheader", "--allocations", "--format=JobID")
    if not said.ended:
        return Finding("accounting", True, "sacct answers")
    fix = "Ends of jobs that slurmctld has forgotten stay unknown. Is slurmdbd up?"
    return Finding("accounting", False, said.first, fix)


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
