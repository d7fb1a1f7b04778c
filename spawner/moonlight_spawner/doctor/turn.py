"""TURN's secret where what launches a session runs as its user: he has to be able to read it.

In a portal its service reads it, and no user: that is looked at by :mod:`.keys`.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..site.options import MoonlightSite
from .finding import Finding

_OWN = "give users' doors a TURN server and a secret of their own: docs/security.md."


def used(site: MoonlightSite) -> bool:
    return bool(site.webrtc and site.turn_uris and site.turn_secret_file)


async def turn(site: MoonlightSite) -> Finding:
    name, path = "TURN", Path(site.turn_secret_file)
    try:
        secret, mode = path.read_text("utf-8").strip(), path.stat().st_mode
    except PermissionError:
        text = f"{path} cannot be read by whoever runs this: desktops launched so go without TURN"
        fix = f"Right where the portal's service alone has TURN; otherwise {_OWN}"
        return Finding(name, True, text, fix, odd=True)
    except OSError as e:
        fix = "Correct `turn_secret_file`, or make the file."
        return Finding(name, False, f"{path}, of `turn_secret_file`: {e.strerror}", fix)
    except UnicodeDecodeError:
        secret = ""
    if not secret:
        fix = "Write coturn's static-auth-secret into it, as text."
        return Finding(name, False, f"{path}, of `turn_secret_file`, has no secret", fix)
    if os.geteuid() == 0 and not mode & 0o044:
        text = f"{path} can be read by its owner alone: desktops that others launch go without TURN"
        fix = f"Right where that is the portal's service; otherwise {_OWN}"
        return Finding(name, True, text, fix, odd=True)
    text = f"{path} can be read by whoever runs this, who can make credentials with it as well"
    return Finding(name, True, text)
