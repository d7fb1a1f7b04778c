"""Desktops and Jupyter servers are for ordinary users: root measures as one that it makes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from moonlight_spawner.processes.kernel import die_with_parent

from tests.cluster import SlurmCluster, TestUser, as_user, ensure_users, remove_users, unique_names

_ROOT = Path(__file__).resolve().parents[1]


def run_as_ordinary_user(arguments: Sequence[str], slurm: bool) -> dict[str, Any] | None:
    """Run the benchmark with ``arguments`` as a user made for it; gives its result.

    With ``slurm`` a private cluster is there for as long as it runs.
    """
    with _ordinary_user() as user:
        if not slurm:
            return _run(user, arguments, {})
        with _cluster(user) as cluster:
            return _run(user, arguments, cluster.env)


def _run(user: TestUser, arguments: Sequence[str], env: dict[str, str]) -> dict[str, Any] | None:
    reader, writer = os.pipe()
    options = {**as_user(user, {**_browsers(), **env}), "cwd": _ROOT}
    argv = [sys.executable, "-m", "bench", *arguments, f"--result-fd={writer}"]
    with open(reader) as pipe, _popen(argv, writer, options) as process:
        os.close(writer)
        try:
            text = pipe.read()
        except BaseException:
            process.terminate()  # it ends what it started
            raise
    return json.loads(text) if text else None


def _browsers() -> dict[str, str]:
    """Where Playwright keeps its browsers, if that is not below root's own home."""
    name = "PLAYWRIGHT_BROWSERS_PATH"
    return {name: os.environ[name]} if name in os.environ else {}


def _popen(argv: list[str], writer: int, options: dict[str, Any]) -> subprocess.Popen[bytes]:
    tell = partial(die_with_parent, signal.SIGTERM)
    return subprocess.Popen(argv, pass_fds=[writer], preexec_fn=tell, **options)


@contextmanager
def _ordinary_user() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        yield ensure_users(names)[0]
    finally:
        remove_users(names)


@contextmanager
def _cluster(user: TestUser) -> Iterator[SlurmCluster]:
    # Not below /tmp/…: its parents have to be open to other users.
    cluster = SlurmCluster(Path(tempfile.mkdtemp(prefix="mlt-", dir="/var/tmp")), [user])
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
