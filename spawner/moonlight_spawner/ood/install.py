"""Puts the app where Open OnDemand looks for apps: links to what is installed, and the site's own YAML."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..model.errors import MoonlightError
from ..model.trust import exchangeable
from ..site.images import data_file
from ..site.options import MoonlightSite
from ..site.request import keyboards, sizes
from .portal import PROXIES, Portal

SETTINGS = "site.yml"


class NotInstalled(MoonlightError):
    """The app cannot be put there."""

    code = "not_installed"


def app_files() -> Path:
    """The app, as it is installed with the package."""
    return data_file("ood_app")


def install(directory: Path, site: MoonlightSite, portal: Portal) -> list[str]:
    """Make ``directory`` the app; gives a line for each thing that was done or left.

    What is not a link to something of ours stays as it is, the site's YAML above all.

    Raises
    ------
    NotInstalled
    """
    source = app_files()
    said = []
    try:
        if directory.is_symlink():
            raise NotInstalled(
                f"{directory} is a link. Remove it, and a directory with the site's own {SETTINGS} "
                "takes its place."
            )
        if why := exchangeable(directory):
            raise NotInstalled(
                f"Nothing is put into {directory}, because every web server runs what is there: {why}. "
                "Into somebody's own directory he puts it himself."
            )
        if not directory.is_dir():
            directory.mkdir(mode=0o755)
            directory.chmod(0o755)  # whatever the umask: every user's web server reads it
            said.append(f"made {directory}")
        for part in sorted(source.iterdir()):
            if part.name != SETTINGS and part.name != "__pycache__":
                said.append(_link(directory / part.name, part))
        said.append(_settings(directory / SETTINGS, source / SETTINGS, site, portal))
    except FileNotFoundError as e:
        raise NotInstalled(f"{directory} cannot be made: {directory.parent} does not exist.") from e
    except OSError as e:
        raise NotInstalled(f"{e.filename or directory} cannot be written: {e.strerror}.") from e
    return [line for line in said if line]


def _link(path: Path, target: Path) -> str:
    if path.is_symlink():
        if Path(os.readlink(path)) == target:
            return ""
        path.unlink()
    elif path.exists():
        return f"kept {path}: it is the site's own, and no link to {target}"
    path.symlink_to(target)
    return f"linked {path} to {target}"


def _settings(path: Path, source: Path, site: MoonlightSite, portal: Portal) -> str:
    """Write the site's YAML, if there is none yet."""
    text = source.read_text("utf-8")
    for name, value in found_here(site, portal).items():
        # A list of objects has a line for each, the rest is on the line of its name.
        place = re.search(rf"(?m)^{name}:.*\n(?:  - .*\n)*", text)
        assert place, name
        text = text[: place.start()] + f"{name}:{_flow_or_lines(value)}\n" + text[place.end() :]
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
    except FileExistsError:
        return f"kept {path}: it is yours"
    return f"wrote {path}: look at it, it explains itself"


def found_here(site: MoonlightSite, portal: Portal) -> dict[str, Any]:
    """What this machine, its Open OnDemand and Moonlight HPC's settings say of the app's settings."""
    found: dict[str, Any] = {
        "command": str(command()),
        "config": os.environ.get("MOONLIGHT_HPC_CONFIG", ""),
        "qos": site.qos,
        "account": site.account,
        "sbatch_options": list(site.sbatch_options),
        "hours": _limits(site.hours, min(1.0, site.max_hours), site.max_hours),
        "gpus": _limits(site.gpus, 0, site.max_gpus),
        "cores": _limits(site.cpus, 1, site.max_cpus),
        "memory": _limits(site.memory_gb, min(1.0, site.max_memory_gb), site.max_memory_gb),
        "keyboards": keyboards(site),
    }
    if not site.partition:
        found["partitions"] = []
    elif site.partition != "viz":  # which the file itself has
        found["partitions"] = [{"name": site.partition, "label": site.partition}]
    if len(portal.clusters) == 1:
        found["cluster"] = next(iter(portal.clusters))
    if on := [proxy for proxy in PROXIES if portal.proxy_uri(proxy)]:
        found["node_proxy"] = on[0]
    found["resolutions"] = sizes(site)
    return found


def command() -> Path:
    """The program whose installation this is."""
    beside = Path(sys.executable).parent / "moonlight-hpc"
    return beside if beside.exists() else Path(shutil.which("moonlight-hpc") or beside)


def _limits(default: float, least: float, most: float) -> dict[str, float]:
    return {"default": default, "min": least, "max": most}


def _flow_or_lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "".join(f"\n  - {_flow(one)}" for one in value)
    return f" {_flow(value)}"


def _flow(value: Any) -> str:
    """YAML on one line, as a person would write it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    text = str(value)
    if re.fullmatch(r"/?[A-Za-z][A-Za-z0-9_./ -]*|[0-9]+x[0-9]+", text) and text not in _WORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Words that YAML takes for something else than a text; `no` is a keyboard layout.
_WORDS = ("yes", "no", "on", "off", "true", "false", "null", "y", "n")
