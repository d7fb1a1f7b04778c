"""The package lists, resolved by apt against the distribution's real index.

The index is that of Ubuntu 24.04 where it can be reached, else that of Debian 12: the table has names for
both. Where neither can be reached, or apt is not there, the names cannot be tried and the tests are skipped.
Those of RHEL's column are tried by no test: dnf would have to solve them.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from .table import packages

#: Where there is no network at all, nothing answers for good.
_REACHED_WITHIN = 5.0

# Several images in each: solving is what takes the time.
IMAGES = ["base xfce mate input", "base gnome kde lsprepost"]


@dataclass(frozen=True)
class Index:
    """A distribution's packages, in a directory of apt's."""

    name: str
    options: list[str]

    def install(self, packages: list[str]) -> subprocess.CompletedProcess[str]:
        """Solve for ``packages`` and print what would be fetched; --simulate takes far longer."""
        words = ["--print-uris", "--yes", "--no-install-recommends", "install", *packages]
        argv = ["apt-get", *self.options, *words]
        return subprocess.run(argv, capture_output=True, text=True)


@pytest.fixture(scope="module")
def index(request: pytest.FixtureRequest) -> Index:
    assert request.config.cache is not None
    if shutil.which("apt-get") is None:
        pytest.fail("package names cannot be tried: there is no apt-get", pytrace=False)
    for name, address, suites, components in (
        ("ubuntu", "http://archive.ubuntu.com/ubuntu", ("noble", "noble-updates"), "main universe"),
        ("debian", "http://deb.debian.org/debian", ("bookworm",), "main"),
    ):
        if reachable(f"{address}/dists/{suites[0]}/Release"):
            root = request.config.cache.mkdir(f"apt-{name}")
            with open(root / "lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # several workers may want it at once
                found = prepare(root, address, suites, components)
            if found is not None:
                return Index(name, found)
    pytest.skip("package names cannot be tried: no package index can be reached")


def reachable(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=_REACHED_WITHIN) as answer:
            return b"Origin: " in answer.read(200)
    except OSError:
        return False


def prepare(root: Path, address: str, suites: tuple[str, ...], components: str) -> list[str] | None:
    """Options for apt-get with state, cache and sources of its own, and nothing installed."""
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "state" / "status").touch()
    # Names are looked up here, nothing is installed: so no keyring is needed.
    lines = [f"deb [trusted=yes arch=amd64] {address} {suite} {components}\n" for suite in suites]
    (root / "etc" / "sources.list").write_text("".join(lines))
    settings = {
        "Dir::State": root / "state", "Dir::State::status": root / "state" / "status",
        "Dir::Cache": root / "cache", "Dir::Cache::pkgcache": "pkgcache.bin",
        "Dir::Cache::srcpkgcache": "srcpkgcache.bin",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Dir::Etc::sourcelist": root / "etc" / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null", "APT::Architecture": "amd64",
        "APT::Architectures": "amd64", "APT::Sandbox::User": "root",
        "Acquire::Languages": "none", "Acquire::http::Timeout": "10", "Acquire::Retries": "1",
    }  # fmt: skip
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    updated = subprocess.run(["apt-get", *options, "update"], capture_output=True, text=True)
    return options if updated.returncode == 0 and "W: " not in updated.stderr else None


@pytest.mark.parametrize("sections", IMAGES)
def test_all_packages_of_an_image_can_be_installed_together(index: Index, sections: str) -> None:
    result = index.install(packages(sections, index.name))
    assert result.returncode == 0, f"{index.name}: {result.stdout[-2000:]}{result.stderr}"
    for package in ("xvfb", "pulseaudio", "fonts-noto-cjk"):
        assert f"/{package}_" in result.stdout


def test_the_index_would_notice_a_wrong_name(index: Index) -> None:
    result = index.install(["base-files", "no-such-package-anywhere"])
    assert result.returncode == 100
    assert "Unable to locate package no-such-package-anywhere" in result.stderr
