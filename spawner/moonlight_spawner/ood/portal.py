"""What Open OnDemand's own configuration says on this machine, if it is there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path("/etc/ood/config")
#: The proxies to nodes that ood_portal.yml can switch on, the best first: https to the node, and a
#: path that says which session it is to nobody but the portal's own rules.
PROXIES = ("secure_node", "secure_rnode", "node", "rnode")
_ANY_HOST = "[^/]+"


@dataclass(frozen=True)
class Portal:
    """``ood_portal.yml`` and ``clusters.d``. ``here`` is False where neither is on this machine."""

    directory: Path
    here: bool
    settings: dict[str, Any] = field(default_factory=dict)
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    def proxy_uri(self, proxy: str) -> str:
        """Where that proxy is switched on, empty if it is not."""
        return str(self.settings.get(f"{proxy}_uri") or "")

    def leads_to(self, host: str) -> bool:
        """Whether the rule of the node proxies takes this host's name.

        Raises
        ------
        ValueError
            ``host_regex`` is no regular expression.
        """
        try:
            rule = re.compile(f"/({self.host_regex})/([0-9]+)")
        except re.error as e:
            raise ValueError(f"host_regex {self.host_regex!r} cannot be read: {e}") from e
        found = rule.match(f"/{host}/40000")
        return bool(found and found[1] == host)

    @property
    def host_regex(self) -> str:
        return str(self.settings.get("host_regex") or _ANY_HOST)


def read_portal(directory: Path = CONFIG) -> Portal:
    """What can be read of it by whoever asks."""
    wrong: list[str] = []
    settings = _read(directory / "ood_portal.yml", wrong) or {}
    clusters = {}
    try:
        files = sorted(directory.joinpath("clusters.d").glob("*.yml"))
    except OSError as e:
        wrong.append(f"{directory}/clusters.d: {e.strerror}")
        files = []
    for path in files:
        clusters[path.stem] = _read(path, wrong) or {}
    return Portal(directory, directory.is_dir(), settings, clusters, tuple(wrong))


def _read(path: Path, wrong: list[str]) -> dict[str, Any] | None:
    try:
        said = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as e:
        wrong.append(f"{path}: {' '.join(str(e).split())[:200]}")
        return None
    return said if isinstance(said, dict) else None
