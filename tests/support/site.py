"""The product's settings in tests: what is installed or set on this machine changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def site_env(home: Path) -> dict[str, str]:
    """Settings for a user with this home: everything that is read or kept lies below it.

    All are named, because their defaults depend on the machine: a file in /etc, directories that
    root made in /scratch, images in /opt.
    """
    config = home / "no-settings.json"
    if not config.exists():
        config.write_text("{}")
        config.chmod(0o644)
    return {
        "MOONLIGHT_HPC_CONFIG": str(config),
        "MOONLIGHT_HPC_SESSIONS_DIR": str(home / "sessions"),
        "MOONLIGHT_HPC_LOGS_DIR": "",  # with the records
        "MOONLIGHT_HPC_SANDBOXES_DIR": str(home / "sandboxes"),
        "MOONLIGHT_HPC_IMAGES_DIR": str(home / "images"),
    }


@pytest.fixture(scope="session", autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of this machine, this account or this shell in what the tests start themselves."""
    directory = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("MOONLIGHT_", "JUPYTER")):
                patch.delenv(name)
        patch.setenv("XDG_CONFIG_HOME", str(directory / "config"))
        for name, value in site_env(directory).items():
            patch.setenv(name, value)
        yield
