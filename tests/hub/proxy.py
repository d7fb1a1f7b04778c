"""The Hub's own proxy, configurable-http-proxy, installed once beside the Python that runs this."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE

BIN = Path(sys.prefix) / "bin"
# To renew the lock: `npm install --package-lock-only` there, then remove the lines `"resolved"`,
# so that each site takes the packages from its own registry.
_PACKAGE = Path(__file__).parent / "configurable-http-proxy"
_LOCK = _PACKAGE / "package-lock.json"


def command() -> list[str]:
    """How it is started; installs what the lock file names if that has not been done."""
    version = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    directory = Path(sys.prefix) / "share" / "configurable-http-proxy" / version
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:  # one of several test processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = directory / "complete"
        if not complete.exists():
            _install(directory)
            complete.touch()
    program = directory / "node_modules" / "configurable-http-proxy" / "bin"
    argv = [str(BIN / "node"), str(program / "configurable-http-proxy")]
    # A Hub gives its proxy 10 s and then ends. So long it takes to read node from a busy disk alone.
    subprocess.run([*argv, "--version"], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
    return argv


def _install(directory: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PACKAGE / name, directory)
    done = subprocess.run(
        [str(BIN / "npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=directory,
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
