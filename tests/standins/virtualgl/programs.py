"""VirtualGL 3.1.4 without a GPU: ``eglinfo``, ``vglrun``, and a ``glxinfo`` that shows its effect.

No package registry carries VirtualGL, and its libraries need a GPU. What is imitated is from its
source (demos/eglinfo.c, server/vglrun.in, server/faker.cpp); nothing is recorded.

The EGL devices are a JSON list in STANDIN_EGL_DEVICES, or else in ``egl_devices.json`` beside this
file (for a driver that clears the environment): ``{"dri": "/dev/dri/card1", "renderer": "NVIDIA
L40S/PCIe/SSE2"}`` each. ``dri`` null: it has no DRI device, as Mesa's software device. ``vendor`` if
it is not what the renderer lets expect. ``"broken": true``: it cannot be opened, as one of
another job's; the real ones leave it out and number the others without it. No list: no device.

``bin`` goes onto PATH before /usr/bin: Mesa's own ``eglinfo`` is there, another program. In
``bin``, ``glxinfo`` is the real one unless it is run under ``vglrun``.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

Device = dict[str, Any]
_GLXINFO = "/usr/bin/glxinfo"
_VERSION = "4.6.0 NVIDIA 570.124.06"


def devices() -> list[Device]:
    """Those that can be opened; the place in the list is the number in ``egl<N>``."""
    text = os.environ.get("STANDIN_EGL_DEVICES")
    if text is None:
        path = Path(__file__).with_name("egl_devices.json")
        text = path.read_text() if path.exists() else "[]"
    return [device for device in json.loads(text) if not device.get("broken")]


def chosen(name: str, found: list[Device]) -> int | None:
    """``egl`` is the first, ``egl<N>`` in any case of letters, else a DRI device's path."""
    if found and name.lower() == "egl":
        return 0
    for at, device in enumerate(found):
        if name.lower() == f"egl{at}" or name == device.get("dri"):
            return at
    return None


def eglinfo(argv: list[str]) -> int:
    """A word that is no option is the device; the last one counts."""
    words = [word for word in argv if word not in {"-e", "-B", "-v", "-l", "-s"}]
    if "-h" in words or not (words or "-e" in argv):
        print("Usage: eglinfo <device> [-v] [-h] [-l] [-s]")
        return 0
    found = devices()
    if not found:
        return _error("no EGL devices found")
    if "-e" in argv:
        for at, device in enumerate(found):
            path = f", DRI device path: {device['dri']}" if device.get("dri") else ""
            print(f"EGL device ID: {_id(at)}{path}")
        return 0
    number = chosen(words[-1], found)
    if number is None:
        return _error("invalid EGL device")
    device = found[number]
    print(f"EGL device ID: {_id(number)}")
    if device.get("dri"):
        print(f"DRI device path: {device['dri']}")
    _strings(device)
    return 0


def glxinfo(argv: list[str]) -> int:
    """Under VirtualGL its first GLX call opens the device, and ends the program if it cannot."""
    if os.environ.get("VGL_ISACTIVE") != "1":
        os.execv(_GLXINFO, [_GLXINFO, *argv])
    if not os.environ.get("DISPLAY"):
        return _error("unable to open display ")
    name = os.environ.get("VGL_DISPLAY") or ":0"
    if os.environ.get("VGL_VERBOSE") == "1":
        kind = "EGL device" if _is_egl(name) else "connection to 3D X server"
        print("[VGL] VirtualGL v3.1.4 64-bit (Build standin)", file=sys.stderr)
        print(f"[VGL] Opening {kind} {name}", file=sys.stderr)
    if not _is_egl(name):
        print(f"[VGL] ERROR: Could not open display {name}.", file=sys.stderr)
        return 1
    found = devices()
    number = chosen(name, found)
    if number is None:
        why = "245: Invalid EGL device" if found else "214: No EGL devices found"
        print(f"[VGL] ERROR: in init3D--\n[VGL]    {why}", file=sys.stderr)
        return 1
    shown = os.environ["DISPLAY"]
    print(f"name of display: {shown}\ndisplay: {shown}  screen: 0\ndirect rendering: Yes")
    _strings(found[number])
    print()
    return 0


def _is_egl(name: str) -> bool:
    return name.startswith("/") or name.lower().startswith("egl")


def _id(number: int) -> str:
    return f"egl{number}" + (" or egl" if number == 0 else "")


def _strings(device: Device) -> None:
    nvidia = "NVIDIA" in device["renderer"]
    vendor = device.get("vendor") or ("NVIDIA Corporation" if nvidia else "Mesa")
    version = device.get("version") or (_VERSION if nvidia else "4.5 (Core Profile) Mesa 25.0.7")
    print(f"OpenGL vendor string: {vendor}")
    print(f"OpenGL renderer string: {device['renderer']}")
    print(f"OpenGL core profile version string: {version}")
    print("OpenGL core profile shading language version string: 4.60")
    print(f"\nOpenGL version string: {version}")


def _error(text: str) -> int:
    print(f"Error: {text}", file=sys.stderr)
    return 255


if __name__ == "__main__":
    sys.exit({"eglinfo": eglinfo, "glxinfo": glxinfo}[sys.argv[1]](sys.argv[2:]))
