"""``moonlight-hpc ood check``: what is missing before the app works here, and what to do."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from .. import __version__
from ..doctor import Finding
from ..model.trust import exchangeable, who
from ..site.options import MoonlightSite
from ..site.request import limits
from .install import SETTINGS, app_files
from .install import command as own_command
from .portal import PROXIES, Portal

DIRECTORY = Path("/var/www/ood/apps/sys/moonlight")
_SECONDS = 30.0
_LIMITS = {"hours": "hours", "gpus": "gpus", "cores": "cpus", "memory": "memory_gb"}


def check(directory: Path, site: MoonlightSite, portal: Portal, hosts: list[str]) -> list[Finding]:
    """All that can be seen from here. ``hosts`` are names of nodes, as ``hostname`` tells them there."""
    findings = [_app(directory)]
    settings, about_settings = _settings(directory)
    findings.append(about_settings)
    if settings is not None:
        findings += [_command(settings, directory), *_limits(settings, site)]
    proxy = str((settings or {}).get("node_proxy", ""))
    findings += _portal(portal, proxy, str((settings or {}).get("cluster") or ""), hosts, site)
    return findings


def hosts_here(site: MoonlightSite) -> list[str]:
    """Names of the nodes with desktops, by Slurm; that of this machine where Slurm does not answer."""
    sinfo = site.slurm_command("sinfo")
    here = [socket.gethostname()]
    if sinfo is None:
        return here
    argv = [sinfo, "--noheader", "--Node", "--format=%n"]
    argv += [f"--partition={site.partition}"] if site.partition else []
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return here
    return sorted(set(said.stdout.split())) or here


def _app(directory: Path) -> Finding:
    name = f"app {directory}"
    again = f"Run: moonlight-hpc ood install {directory}"
    if not directory.is_dir():
        return Finding(name, False, "it is not there", again)
    missing = [p.name for p in app_files().iterdir() if not (directory / p.name).exists()]
    if missing:
        return Finding(name, False, f"it lacks {', '.join(sorted(missing))}", again)
    script = directory / "template" / "script.sh.erb"
    if not os.access(script, os.X_OK):
        return Finding(name, False, f"{script} cannot be run", f"Run: chmod 755 {script.resolve()}")
    if (closed := next(_closed(directory), None)) and directory.stat().st_uid != os.geteuid():
        return _not_for_all(name, closed)
    if closed and os.geteuid() == 0:
        return _not_for_all(name, closed)
    version = (directory / "VERSION").read_text("utf-8", "replace").strip()
    if version != __version__:
        return Finding(
            name,
            True,
            f"version {version}, while the program is {__version__}",
            f"{again}, and restart the web servers (Help, Restart Web Server).",
            odd=True,
        )
    return Finding(name, True, f"version {version}")


def _not_for_all(name: str, closed: Path) -> Finding:
    mode = stat.S_IMODE(closed.stat().st_mode)
    return Finding(
        name,
        False,
        f"users may not read {closed} (mode {mode:o}); their web servers run as they",
        f"Run: chmod a+rX {closed}",
    )


def _closed(directory: Path) -> Iterator[Path]:
    """What others may not read, behind the links."""
    for top in sorted(directory.iterdir()):
        for path in [top, *(sorted(top.rglob("*")) if top.is_dir() else [])]:
            real = path.resolve()
            for one in (real, *real.parents):
                mode = one.stat().st_mode
                needed = stat.S_IXOTH if one != real else stat.S_IROTH
                if one == real and stat.S_ISDIR(mode):
                    needed = stat.S_IROTH | stat.S_IXOTH
                if mode & needed != needed:
                    yield one


def _settings(directory: Path) -> tuple[dict[str, Any] | None, Finding]:
    path = directory / SETTINGS
    fix = f"Compare it with {app_files() / SETTINGS}, where every line is explained."
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
        known = yaml.safe_load((app_files() / SETTINGS).read_text("utf-8"))
    except OSError as e:
        return None, Finding("settings", False, f"{path}: {e.strerror}", fix)
    except (ValueError, yaml.YAMLError) as e:
        return None, Finding(
            "settings", False, f"{path} is no YAML: {' '.join(str(e).split())}", fix
        )
    if not isinstance(read, dict):
        return None, Finding("settings", False, f"{path} has no settings in it", fix)
    unknown, missing = sorted(set(read) - set(known)), sorted(set(known) - set(read))
    if missing:
        return None, Finding("settings", False, f"{path} lacks {', '.join(missing)}", fix)
    if unknown:
        text = f"{path} has {', '.join(map(str, unknown))}, which are no settings"
        return read, Finding("settings", True, text, fix, odd=True)
    return read, Finding("settings", True, str(path))


def _not_ours(*files: Path) -> str:
    """Why these may be somebody else's words, of whom none is to be run by us; empty if they are not."""
    for file in files:
        if why := exchangeable(file):
            return why
        info = file.stat()
        if info.st_uid not in (0, os.geteuid()):
            return f"{file} belongs to {who(info.st_uid)}"
        if info.st_mode & (0o002 if os.geteuid() else 0o022):
            return f"others may write to {file}"
    return ""


def _command(settings: dict[str, Any], directory: Path) -> Finding:
    command = str(settings["command"])
    name = f"program {command}"
    fix = "Name it in site.yml as web host and nodes have it: `which moonlight-hpc` on each."
    if not os.access(command, os.X_OK) or not Path(command).is_absolute():
        return Finding(name, False, "it is not there, or cannot be run", fix)
    ourselves = Path(command).resolve() == own_command().resolve()
    if not ourselves and (why := _not_ours(directory / SETTINGS, Path(command))):
        odd = "Run this as the app's owner, or as an ordinary user."
        return Finding(name, True, f"it was not run, because {why}", odd, odd=True)
    try:
        argv = [command, "--version"]
        said = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired) as e:
        return Finding(name, False, f"it cannot be run: {e}", fix)
    if said.strip() != f"moonlight-hpc {__version__}":
        return Finding(name, False, f"it says {said.strip()[:80]!r}, not {__version__}", fix)
    return Finding(name, True, said.strip())


def _limits(settings: dict[str, Any], site: MoonlightSite) -> Iterator[Finding]:
    """What the form offers and the node would refuse."""
    allowed = limits(site)
    over = []
    for name, ours in _LIMITS.items():
        most = settings[name].get("max") if isinstance(settings[name], dict) else None
        if isinstance(most, (int, float)) and most > allowed[ours]["max"]:
            over.append(f"{name} up to {most:g} (max_{ours} is {allowed[ours]['max']:g})")
    if over:
        yield Finding(
            "limits",
            False,
            f"the form offers what Moonlight HPC's settings refuse: {', '.join(over)}",
            "Lower them in site.yml, or raise the settings on all nodes.",
        )
    else:
        yield Finding("limits", True, "the form offers nothing that the settings refuse")


def _portal(
    portal: Portal, proxy: str, cluster: str, hosts: list[str], site: MoonlightSite
) -> Iterator[Finding]:
    where = portal.directory / "ood_portal.yml"
    if not portal.here:
        yield Finding(
            "Open OnDemand",
            True,
            f"{portal.directory} is not on this machine: its own settings were not looked at",
            "Run this on the portal's web host, too.",
            odd=True,
        )
        return
    for wrong in portal.unreadable:
        yield Finding("Open OnDemand", False, f"cannot be read: {wrong}", "Run this as root.")
    yield _proxy(portal, proxy, where)
    yield _host_regex(portal, hosts, where)
    yield _cluster(portal, cluster)
    if not portal.settings.get("ssl"):
        yield Finding(
            "https",
            True,
            f"{where} has no `ssl`: browsers show a desktop only on pages that came by https",
            "Give the portal a certificate, unless a proxy before it has one.",
            odd=True,
        )
    if portal.settings.get("host_regex") is None:
        yield Finding(
            "reach",
            True,
            f"{where} has no `host_regex`: the portal leads its users to any host and port",
            "Set it to the names of your compute nodes.",
            odd=True,
        )


def _proxy(portal: Portal, proxy: str, where: Path) -> Finding:
    name = "node proxy"
    if proxy not in PROXIES:
        text = f"node_proxy is {proxy!r} in site.yml"
        return Finding(name, False, text, f"Make it one of {', '.join(PROXIES)}.")
    uri = portal.proxy_uri(proxy)
    rebuild = "run update_ood_portal and restart Apache"
    if not uri:
        on = [p for p in PROXIES if portal.proxy_uri(p)]
        other = f", or name {on[0]} in site.yml" if on else ""
        fix = f"Put `{proxy}_uri: /{proxy}` into {where}, {rebuild}{other}."
        return Finding(name, False, f"{proxy} is off in Open OnDemand", fix)
    if uri != f"/{proxy}":
        fix = f"Make it /{proxy} in {where}, and {rebuild}."
        return Finding(name, False, f"{proxy}_uri is {uri}, which the gateway does not know", fix)
    return Finding(name, True, f"{uri} leads to the nodes")


def _host_regex(portal: Portal, hosts: list[str], where: Path) -> Finding:
    name = "host_regex"
    try:
        outside = [host for host in hosts if not portal.leads_to(host)]
    except ValueError as e:
        return Finding(name, False, str(e), f"Look at {where}.")
    if outside:
        few = ", ".join(outside[:5]) + (" …" if len(outside) > 5 else "")
        fix = f"Let host_regex in {where} match what `hostname` says on each node."
        return Finding(name, False, f"{portal.host_regex} does not match {few}", fix)
    return Finding(name, True, f"{portal.host_regex} matches {', '.join(hosts[:5])}")


def _cluster(portal: Portal, cluster: str) -> Finding:
    name = f"cluster {cluster or '(none)'}"
    known = ", ".join(portal.clusters) or "none"
    fix = f"Set `cluster` in site.yml to one of {portal.directory}/clusters.d: {known}."
    if not cluster:
        return Finding(name, False, "site.yml names no cluster", fix)
    if cluster not in portal.clusters:
        return Finding(name, False, "Open OnDemand has no such cluster", fix)
    v2 = portal.clusters[cluster].get("v2")
    job = v2.get("job") if isinstance(v2, dict) else None
    adapter = job.get("adapter") if isinstance(job, dict) else None
    if adapter != "slurm":
        return Finding(name, False, f"its job adapter is {adapter}, but must be slurm", fix)
    if shutil.which("rsync") is None:
        return Finding(
            name, False, "rsync is missing here, which puts jobs together", "Install it."
        )
    return Finding(name, True, "Open OnDemand has it, with Slurm")
