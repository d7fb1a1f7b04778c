"""The checks of the batch system: the controller, and what it has for this site's sessions."""

from __future__ import annotations

import contextlib
import re

from ..model.account import account
from ..site.images import data_file
from ..site.options import MoonlightSite
from .ask import last_line, slurm
from .finding import Finding

_PING_SECONDS = 7.0  # twice that, and nobody has to wait longer for a controller that is away


async def controller(site: MoonlightSite) -> Finding:
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


async def partition(site: MoonlightSite) -> Finding:
    name = f"partition {site.partition}" if site.partition else "default partition"
    found = await partition_line(site)
    if found is None:
        fix = "Correct the setting `partition`, or make the partition in slurm.conf."
        return Finding(name, False, "the cluster has none of that name", fix)
    partition, state, nodes = found
    if state != "up":
        fix = f"scontrol update PartitionName={partition} State=UP"
        return Finding(name, False, f"it is {state}", fix)
    return Finding(name, True, f"{'' if site.partition else partition + ', '}up, {nodes} nodes")


async def partition_line(site: MoonlightSite) -> tuple[str, str, str] | None:
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


async def qos(site: MoonlightSite) -> Finding:
    if not site.qos:
        return Finding("QoS", True, "none is asked for: Slurm's default counts")
    name = f"QoS {site.qos}"
    if missing := await _no_qos(site):
        return missing
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
        fix = f"Run {create_qos()} --user {me}, or --account with the account of {me}."
        return Finding(name, False, f"user {me} may not use it", fix)
    return Finding(name, True, f"user {me} may use it")


async def _no_qos(site: MoonlightSite) -> Finding | None:
    """Why the site's QoS is none; None where it is one."""
    name, options = f"QoS {site.qos}", (f"name={site.qos}", "format=name")
    said = await slurm(site, "sacctmgr", "-n", "-P", "show", "qos", *options)
    if said.ended:
        return Finding(name, False, said.first, "Is slurmdbd up?")
    if site.qos not in said.output.split():
        fix = f"Run {create_qos()} --account ACCOUNT as Slurm's administrator."
        return Finding(name, False, "it does not exist", fix)
    return None


async def for_many(site: MoonlightSite) -> Finding:
    """The same for a portal, which launches nothing itself: who may use the QoS is each user's."""
    name = "QoS and partition"
    if site.batch_system != "slurm":
        return Finding(name, True, "none: sessions run on this machine itself")
    found = [await controller(site)]
    if found[0].good:
        found.append(await partition(site))
    if found[-1].good and site.qos and (missing := await _no_qos(site)):
        found.append(missing)
    if not found[-1].good:
        return Finding(name, False, f"{found[-1].name}: {found[-1].text}", found[-1].fix)
    line = await partition_line(site)
    where = line[0] if line else site.partition
    said = await slurm(site, "scontrol", "-o", "show", "partition", where)
    allowed = next((w[9:] for w in said.output.split() if w.startswith("AllowQos=")), "ALL")
    if site.qos and allowed != "ALL" and site.qos not in allowed.split(","):
        fix = f"AllowQos={allowed},{site.qos} on its line in slurm.conf, then scontrol reconfigure"
        return Finding(name, False, f"partition {where} takes the QoS {allowed} alone", fix)
    text = f"partition {where}: {found[-1].text}"
    text = f"{text}; QoS {site.qos or 'of the user'} is there, and it takes that"
    config = (await slurm(site, "scontrol", "show", "config")).output
    # Users' sides are nice, and submit: their jobs would be so, too, and nobody could take that back.
    if handed_on := re.search(r"^PropagatePrioProcess *= *([12])$", config, re.MULTILINE):
        text += f"; but desktops run at nice 10, for PropagatePrioProcess is {handed_on[1]}"
        fix = "PropagatePrioProcess=0 in slurm.conf, its default, then restart slurmctld and slurmd"
        return Finding(name, True, text, fix, odd=True)
    return Finding(name, True, text)


def create_qos() -> str:
    with contextlib.suppress(FileNotFoundError):
        return str(data_file("deploy", "slurm", "create-qos"))
    return "deploy/slurm/create-qos"


async def gpus(site: MoonlightSite) -> Finding:
    found = await partition_line(site)
    partition = found[0] if found else site.partition
    said = await slurm(site, "sinfo", "--noheader", f"--partition={partition}", "--format=%G")
    gpus = sorted({g for g in said.output.split() if "gpu" in g})
    if gpus:
        return Finding("GPUs", True, ", ".join(gpus))
    if site.gpus == 0:
        return Finding("GPUs", True, "the partition has none, and none is asked for by default")
    fix = "Set `gpus` to 0, or give the nodes Gres=gpu in slurm.conf and gres.conf."
    return Finding("GPUs", False, f"partition {partition} has none", fix)


async def accounting(site: MoonlightSite) -> Finding:
    said = await slurm(site, "sacct", "--noheader", "--allocations", "--format=JobID")
    if not said.ended:
        return Finding("accounting", True, "sacct answers")
    fix = "Ends of jobs that slurmctld has forgotten stay unknown. Is slurmdbd up?"
    return Finding("accounting", False, said.first, fix)
