"""The checks of a node."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from ..agent.desktop.graphics import VIRTUALGL
from ..agent.display.screen import MAKE_SOCKETS, SOCKETS, unsafe_sockets
from ..agent.node.places import remove_all
from ..agent.node.uinput import writable
from ..processes.environment import find, find_in_system
from ..processes.private_segments import supported
from ..site.images import Catalogue
from ..site.options import MoonlightSite
from . import needs
from .ask import answer
from .finding import SECONDS, Check, Finding
from .ports import outgoing
from .sunshine import sunshine, web_client


async def _xserver(site: MoonlightSite) -> Finding:
    program = site.x_server_command[0] if site.x_server_command else "Xvfb"
    found = find(program) if site.x_server_command else _which(program)
    fix = "Install Xvfb (Debian: xvfb; RHEL: xorg-x11-server-Xvfb)."
    if site.x_server_command:
        fix = "Install it, or correct the setting `x_server_command`."
    return Finding("X server", found is not None, found or f"{program} not found", fix)


async def _desktop(site: MoonlightSite) -> Finding:
    found = [n for n in ("xfce4-session", "xfwm4", "openbox", "icewm", "fluxbox") if _which(n)]
    if not found and not needs.node_desktop(site):
        return Finding("desktop", True, "none, and none is needed: images bring theirs")
    fix = "Install XFCE (Debian: xfce4-session xfwm4 xfce4-panel xfdesktop4 xfce4-terminal)."
    return Finding("desktop", bool(found), ", ".join(found) or "none found", fix)


async def _bus(site: MoonlightSite) -> Finding:
    found = _which("dbus-daemon")
    if not found and not needs.node_desktop(site):
        return Finding("D-Bus", True, "not found, and not needed: images bring theirs")
    return Finding("D-Bus", found is not None, found or "dbus-daemon not found", "Install dbus.")


async def _stream(site: MoonlightSite) -> Finding:
    name = "selkies"
    text, fix = await _without_selkies()
    if not text:
        return Finding(name, True, "installed, and its encoder loads")
    if not needs.selkies(site):
        return Finding(name, True, f"{text}; it is not needed: Sunshine streams here")
    return Finding(name, False, text, fix)


async def _without_selkies() -> tuple[str, str]:
    """Why selkies cannot be used, and what to do; empty if it can."""
    if importlib.util.find_spec("selkies") is None:
        return "not installed", f"{sys.executable} -m pip install 'moonlight-hpc[selkies]'"
    said = await answer([sys.executable, "-c", "import pixelflux"], SECONDS)
    if not said.ended:
        return "", ""
    fix = "Install its libraries (Debian: libgbm1 libpixman-1-0 libxkbcommon0 libx11-6)."
    if not said.errors.strip():
        fix = f"Try it by hand on this node: {sys.executable} -c 'import pixelflux'"
    if "SIGILL" in said.ended:
        fix = "This CPU is too old for its encoder: set `streaming_host` to sunshine."
    return f"its encoder does not load: {said.why}", fix


async def _sockets(site: MoonlightSite) -> Finding:
    why = unsafe_sockets()
    if why:
        return Finding("X sockets", False, why.partition(f" {MAKE_SOCKETS}")[0], MAKE_SOCKETS)
    return Finding("X sockets", True, f"nobody can exchange what is in {SOCKETS}")


# What Apptainer says where it finds no squashfuse, and the kernel does not mount for it (1.5.3).
_UNPACKED = "Converting SIF file to temporary sandbox"
_SQUASHFUSE = (
    "Install squashfuse on the nodes (Debian, Ubuntu: squashfuse; RHEL: squashfuse, from EPEL); version "
    "0.5 or newer where `image_changes` is overlay."
)


async def _image(site: MoonlightSite) -> Finding:
    name = "Apptainer"
    images = [image for image in Catalogue(site).all() if image.available and image.path]
    if not images:
        return Finding(name, True, "not needed: the site has no image")
    found = find("apptainer") or find("singularity")
    if found is None:
        fix = "Install it (RHEL: apptainer from EPEL), or load its module in `job_prologue`."
        return Finding(name, False, "neither apptainer nor singularity found", fix)
    path = str(images[0].path)
    command = [found, "exec", "--contain", "--cleanenv", "--no-privs", path, "true"]
    unpacked = tempfile.mkdtemp(prefix="moonlight-doctor-")
    try:
        env = {**os.environ, "LC_ALL": "C", "APPTAINER_TMPDIR": unpacked}
        said = await answer(command, SECONDS * 3, env)
    finally:  # it may have been killed before it had removed what it unpacked
        remove_all(Path(unpacked))
    if said.ended:
        fix = f"Try it by hand on this node: {found} exec --contain --cleanenv {path} true"
        return Finding(name, False, said.why, fix)
    if _UNPACKED in said.errors:
        text = f"{found} cannot mount images: each program of a session unpacks all of its image"
        return Finding(name, False, text, _SQUASHFUSE)
    return Finding(name, True, f"{found} runs {Path(path).name}")


async def _sound(site: MoonlightSite) -> Finding:
    found = _which("pulseaudio")
    return Finding("sound", True, found or "no pulseaudio: sessions without an image are silent")


async def _opengl(site: MoonlightSite) -> Finding:
    found = find("vglrun") or shutil.which("vglrun", path=VIRTUALGL)
    return Finding(
        "OpenGL", True, found or "no VirtualGL: without an image, programs draw with the CPU"
    )


async def _input(site: MoonlightSite) -> Finding:
    open_to_all = writable() if os.geteuid() else []
    text = f"{', '.join(open_to_all)} writable" if open_to_all else "no device is open to users"
    fix = "Take it from users: what they type could go to this node's own devices."
    return Finding("input devices", not open_to_all, text, fix)


async def _memory(site: MoonlightSite) -> Finding:
    """Not a fault either way: the agent closes it where the kernel does not keep it closed."""
    text = "closed to others within 0.1 s (no seccomp notifications here: Linux 5.0 has them)"
    if await asyncio.to_thread(supported):
        text = "Sunshine's is closed to others from the start; in an image, and of other programs, "
        text += "within 0.1 s"
    return Finding("shared memory", True, text)


def _which(program: str) -> str | None:
    """Where the agent would find it: the system's first, whatever this shell's PATH says."""
    return find_in_system(program)


NODE_CHECKS: tuple[Check, ...] = (
    _xserver,
    _desktop,
    _bus,
    _stream,
    sunshine,
    web_client,
    _sockets,
    _image,
    _sound,
    _opengl,
    _input,
    _memory,
    outgoing,
)
