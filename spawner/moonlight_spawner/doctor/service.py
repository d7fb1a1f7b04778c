"""Our own service: its process, its ports, its API, and the way of nginx to it.

Each is looked at only where what it needs is in order, so that one fault is one red line.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import psutil

from ..site.options import MoonlightSite
from .finding import Finding
from .web import Reply, ask

_START = "systemctl start moonlight-hpc; why it does not run says journalctl -u moonlight-hpc"
_RESTART = "systemctl restart moonlight-hpc"
_SETTINGS = Path("/etc/moonlight-hpc")
# A service that was just started is given so long to listen.
_BEGIN_SECONDS, _AGAIN_SECONDS = 20.0, 0.2
_CONF = "deploy/nginx/moonlight.conf"


def serving(site: MoonlightSite, config: Path | None) -> list[psutil.Process]:
    """Processes of `moonlight-hpc serve` with these settings. Anybody may call a process of his so; the
    service's are those of the account whose key that is."""
    owner, found = _owner(site), []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if owner is not None and process.uids().effective != owner:
                continue
        except psutil.Error:
            continue
        if "serve" in words and any(os.path.basename(w) == "moonlight-hpc" for w in words[:3]):
            named = words[words.index("serve") + 1 :]
            same = str(config) in " ".join(named).replace("=", " ").split()
            if same if config else not named:
                found.append(process)
    return found


def _owner(site: MoonlightSite) -> int | None:
    """Whose the service's key is, or the place for it; None if that is not ours to see."""
    for path in (Path(site.portal_key_file), Path(site.portal_key_file).parent):
        try:
            return path.stat().st_uid
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return -1  # nobody's: without a place for it no service runs


async def processes(site: MoonlightSite, config: Path | None) -> Finding:
    name = "processes"
    found = serving(site, config)
    if not found:
        what = f"moonlight-hpc serve{f' --config {config}' if config else ''}"
        return Finding(name, False, f"no process of `{what}` on this machine", _START)
    process = found[0]
    with process.oneshot():
        user, uid = process.username(), process.uids().effective
    text = f"moonlight-hpc serve, pid {process.pid}, as {user}"
    if uid == 0:  # serve refuses; but a wrapper could have changed its mind
        return Finding(
            name, False, f"{text}: root could do more than it has to", "Set User= in its unit."
        )
    if _no_new_privileges(process.pid):
        fix = "Take NoNewPrivileges and what implies it out of its unit: deploy/systemd/moonlight-hpc.service"
        return Finding(
            name, False, f"{text}, which may become nobody else: sudo fails", fix + " says what."
        )
    settings = config or next((p for p in _SETTINGS.glob("config.*")), None)
    changed = settings.stat().st_mtime if settings and settings.exists() else 0.0
    if changed > process.create_time() + 1:
        ago = time.strftime("%Y-%m-%d %H:%M", time.localtime(changed))
        return Finding(
            name, True, f"{text}: {settings} was changed since, {ago}", _RESTART, odd=True
        )
    return Finding(name, True, text)


def _no_new_privileges(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except OSError:
        return False
    return "\nNoNewPrivs:\t1" in status


async def ports(site: MoonlightSite, config: Path | None) -> Finding:
    name = "our ports"
    ours = serving(site, config)
    pids = {process.pid for process in ours}
    wanted = [port for port in (site.portal_port, site.portal_signaling_port) if port]
    listening = _listening()
    # One that was just started listens on nothing yet; on other ports, it has other settings.
    while not pids & {pid for *_, pid in listening} and any(map(_begins, ours)):
        if set(wanted) <= {port for _, port, _ in listening}:  # whose they are, not all are told
            break
        await asyncio.sleep(_AGAIN_SECONDS)
        listening = _listening()
    for port in wanted:
        here = [(address, pid) for address, number, pid in listening if number == port]
        if not here:
            text = f"nothing listens on {port}, though the service runs"
            return Finding(name, False, text, f"It has other settings than these: {_RESTART}")
        # Who it is, only root and the service itself are told.
        if strangers := {pid for _, pid in here if pid} - pids:
            who = ", ".join(_named(pid) for pid in strangers)
            fix = "End that, or give ours another one: `portal_port`, `portal_signaling_port`."
            return Finding(name, False, f"port {port} is held by {who}", fix)
        if wrong := {address for address, _ in here} - {site.portal_address}:
            text = (
                f"port {port} is open on {', '.join(sorted(wrong))}, not on {site.portal_address}"
            )
            return Finding(name, False, text, f"Correct `portal_address`, then {_RESTART}")
    return Finding(name, True, f"{' and '.join(map(str, wanted))} on {site.portal_address}")


def _listening() -> list[tuple[str, int, int | None]]:
    sockets = psutil.net_connections("tcp")
    return [(*c.laddr, c.pid) for c in sockets if c.status == psutil.CONN_LISTEN]


def _begins(process: psutil.Process) -> bool:
    """Whether it may still be about to listen."""
    try:
        return process.is_running() and time.time() - process.create_time() < _BEGIN_SECONDS
    except psutil.Error:
        return False


def _named(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


async def api(site: MoonlightSite) -> Finding:
    """Asked without a login: it has to say so, and nothing else."""
    url = f"http://{_host(site)}:{site.portal_port}{site.portal_base_url}api/moonlight/sessions"
    return await _refused("our API", url, f"journalctl -u moonlight-hpc says why; {_RESTART}")


async def nginx(site: MoonlightSite) -> Finding:
    """What browsers get: our answers at our paths, by TLS that they trust, and not our figures."""
    name = "nginx"
    if not site.portal_url:
        fix = "Set it to the address by which users know the portal."
        return Finding(name, True, "not asked: `portal_url` is not set", fix, odd=True)
    base = site.portal_url + site.portal_base_url
    fix = f"Include {_CONF} in the server block of {site.portal_url}, check by nginx -t, and nginx -s reload."
    for path in ("api/moonlight/sessions", "moonlight/signaling?session=ml-doctor-0000000000"):
        if path.startswith("moonlight/sig") and not site.portal_signaling_port:
            continue
        finding = await _refused(name, base + path, fix)
        if not finding.good:
            return finding
    try:
        figures = await ask(f"{site.portal_url}/metrics")
    except LookupError:
        figures = Reply(404, {}, b"")
    if b"moonlight_" in figures.body:
        text = f"{site.portal_url}/metrics has our figures for everybody"
        return Finding(name, False, text, f"Pass our own paths alone, as {_CONF} does.")
    return Finding(name, True, f"{base}moonlight/ and {base}api/moonlight/ lead to our service")


async def _refused(name: str, url: str, fix: str) -> Finding:
    try:
        reply = await ask(url)
    except LookupError as e:
        return Finding(name, False, f"{url}: {e}", fix)
    if reply.status in (401, 403) and reply.refusal:
        return Finding(name, True, f"{url} answers, and nothing without a login")
    if reply.refusal:
        return Finding(name, False, f"{url} answered {reply}, {reply.refusal}, and not 403", fix)
    return Finding(name, False, f"{url} answered {reply}, which is not of our service", fix)


def _host(site: MoonlightSite) -> str:
    address = str(site.portal_address)
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}
    return anywhere.get(address, f"[{address}]" if ":" in address else address)
