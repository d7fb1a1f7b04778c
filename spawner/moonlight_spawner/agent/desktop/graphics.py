"""What OpenGL programs of the desktop draw with: the job's GPU through VirtualGL, or the CPU.

Xvfb draws in software. VirtualGL's EGL back end lets a program draw on a GPU without any X server on
it and without root, and puts the finished picture into Xvfb (VirtualGL User's Guide, "EGL back end").
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...model.sentences import Said
from ...processes.child import output_of
from .container import Apptainer, Container
from .gpu import Gpu

# Where VirtualGL's own packages put it, in our images too.
VIRTUALGL = "/opt/VirtualGL/bin"
_RENDERER = re.compile(r"^OpenGL renderer string: *(.+)$", re.MULTILINE)
_DEVICE = re.compile(r"EGL device ID: (egl[0-9]+)(?: or egl)?(?:, DRI device path: (\S+))?")
_SOFTWARE = re.compile(r"llvmpipe|softpipe|swrast|software", re.IGNORECASE)


@dataclass(frozen=True)
class Graphics:
    """What is really in use.

    Parameters
    ----------
    renderer
        As OpenGL itself names it; None where nothing on the node can ask (no ``glxinfo``).
    vglrun
        ``vglrun -d egl<N>`` for the job's GPU; empty where VirtualGL is not used.
    note
        For the user, if it is not what he would expect.
    """

    renderer: str | None
    vglrun: tuple[str, ...] = ()
    note: Said | None = None

    @property
    def environment(self) -> dict[str, str]:
        """By which a program that calls ``vglrun`` itself finds the same GPU."""
        return {"VGL_DISPLAY": self.vglrun[-1]} if self.vglrun else {}


async def look(
    container: Container, env: Mapping[str, str], gpu: Gpu | None, asked: int, virtualgl: bool
) -> Graphics:
    """Find the best that works and prove it by asking OpenGL. X has to run. ``asked``: how many GPUs
    the session was given by its request, whether or not any is found."""
    plain = await _renderer(container, env, [])
    if plain and not _SOFTWARE.search(plain):
        return Graphics(plain)  # an X server with a GPU of its own
    if gpu is None:
        shown = f" ({plain})" if plain else ""
        if not asked:
            note = Said.by(
                "OpenGlNoGpu",
                "OpenGL programs draw with the CPU{shown}: the job has no GPU.",
                shown=shown,
            )
        else:
            note = Said.by(
                "OpenGlGpuNotSeen",
                "OpenGL programs draw with the CPU{shown}: {were} asked for, and nvidia-smi shows none.",
                shown=shown,
                were=f"{asked} GPU{'s were' if asked > 1 else ' was'}",
                asked=asked,
            )
        return Graphics(plain, note=note)
    if not virtualgl:
        return Graphics(plain)
    tool = _tool(container, env, "vglrun")
    if tool is None:
        return _only_cpu(plain, _NO_VIRTUALGL, gpu)
    device = await _egl_device(container, env, gpu)
    if device is None:
        return _only_cpu(plain, _NO_DEVICE, gpu)
    vglrun = (tool, "-d", device)
    drawn = await _renderer(container, env, vglrun)
    if drawn is None or _SOFTWARE.search(drawn):
        return _only_cpu(plain, _CANNOT_DRAW, gpu, device)
    return Graphics(drawn, vglrun)


_ALTHOUGH = "OpenGL programs draw with the CPU although the job has {gpu}: "
_NO_VIRTUALGL = ("OpenGlNoVirtualGl", _ALTHOUGH + "VirtualGL (vglrun) is not installed.")
_NO_DEVICE = ("OpenGlNoDevice", _ALTHOUGH + "VirtualGL finds no EGL device of it.")
_CANNOT_DRAW = ("OpenGlCannotDraw", _ALTHOUGH + "VirtualGL cannot draw on its device {device}.")


def _only_cpu(plain: str | None, why: tuple[str, str], gpu: Gpu, device: str = "") -> Graphics:
    return Graphics(plain, note=Said.by(*why, gpu=gpu.name, device=device))


async def _renderer(
    container: Container, env: Mapping[str, str], before: Sequence[str]
) -> str | None:
    glxinfo = container.which("glxinfo", env) or "glxinfo"
    text = await output_of(container.argv([*before, glxinfo, "-B"], env), env)
    found = _RENDERER.search(text or "")
    return found[1].strip() if found else None


async def _egl_device(container: Container, env: Mapping[str, str], gpu: Gpu) -> str | None:
    """VirtualGL's name of the job's GPU: by its DRI device, else by the name of its renderer."""
    eglinfo = _tool(container, env, "eglinfo")
    if eglinfo is None:
        return None
    text = await output_of(container.argv([eglinfo, "-e"], env), env)
    devices = {m[1]: m[2] for m in _DEVICE.finditer(text or "")}
    dri = gpu.dri_device()
    for name, path in devices.items():
        if dri and path == dri:
            return name
    for name in devices:
        text = await output_of(container.argv([eglinfo, "-B", name], env), env)
        found = _RENDERER.search(text or "")
        if found and gpu.name.removeprefix("NVIDIA ") in found[1]:
            return name
    return None


def _tool(container: Container, env: Mapping[str, str], name: str) -> str | None:
    """A program of VirtualGL. Not from PATH alone: Mesa has an ``eglinfo`` of its own."""
    if isinstance(container, Apptainer):
        return f"{VIRTUALGL}/{name}"
    vglrun = container.which("vglrun", env) or shutil.which("vglrun", path=VIRTUALGL)
    if vglrun is None:
        return None
    return os.path.join(os.path.dirname(os.path.realpath(vglrun)), name)
