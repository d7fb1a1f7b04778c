"""The work directory: what is finished, so that the next call goes on from there.

WORK/               0700
  lock              held while a build runs here
  downloads/        checked files, kept for the next build
  logs/             one file a build, kept
  <image>/          removed when the image is in place
    state.json      finished steps and what they were made from
    context/        what the definition copies into the image
    sandbox/        (from a VNC image) the unpacked image, as it was
    changing/       the same while we add to it: worth nothing if that is cut off
    changed/        the same with everything added
    tmp-*/          Apptainer's temporary files, removed when a step ends, however it ends
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ..model.files import private_directory, write_private
from .failures import BuildFailed


def default_directory() -> Path:
    """One directory a user, on a disk: /tmp is often memory, and an image takes gigabytes."""
    base = os.environ.get("APPTAINER_TMPDIR") or os.environ.get("TMPDIR") or "/var/tmp"
    return Path(base) / f"moonlight-hpc-build-{os.geteuid()}"


class Work:
    """The work directory; ``make`` it before use."""

    def __init__(self, path: Path):
        self.path = path
        self.downloads = path / "downloads"
        self.logs = path / "logs"

    def make(self) -> None:
        """Make it, with mode 0700.

        Raises
        ------
        UnsafeDirectory
            It belongs to someone else.
        """
        private_directory(self.path, parents=True)
        private_directory(self.downloads)
        private_directory(self.logs)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one build; the lock goes with the process.

        Raises
        ------
        BuildFailed
            Another build runs here.
        """
        with open(self.path / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BuildFailed(
                    f"Another build uses {self.path}. Wait for it, or name another --work-dir."
                ) from None
            yield


class ImageWork:
    """The part of the work directory that belongs to one image."""

    def __init__(self, path: Path):
        self.path = path
        self.context = path / "context"
        self.sandbox = path / "sandbox"
        self.changing = path / "changing"
        self.changed = path / "changed"
        self._state = path / "state.json"
        self._made_from = ""

    def begin(self, made_from: str) -> list[str]:
        """The steps that an earlier build with the same ``made_from`` finished.

        Without one, everything of earlier builds is removed.
        """
        private_directory(self.path)
        try:
            state = json.loads(self._state.read_text("utf-8"))
            known, done = str(state["made_from"]), [str(step) for step in state["done"]]
        except (OSError, ValueError, KeyError, TypeError):
            known, done = "", []
        if known != made_from:
            self.clear()
            done = []
        self._made_from = made_from
        for left in self.path.glob("tmp-*"):  # of a build that was killed
            remove_tree(left)
        return done

    def finished(self, steps: list[str]) -> None:
        """These steps are done, and no other."""
        state = {"made_from": self._made_from, "done": steps}
        write_private(self._state, json.dumps(state, indent=2))

    def clear(self) -> None:
        """Forget and remove everything; the directory itself stays."""
        self._state.unlink(missing_ok=True)
        for entry in list(self.path.iterdir()):
            remove_tree(entry)

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """A private directory for Apptainer's own temporary files; removed in any case."""
        path = self.path / f"tmp-{os.getpid()}"
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            remove_tree(path)


def remove_tree(path: Path) -> None:
    """Remove a file or a tree, also one with files of an image's other users.

    An image built with a range of subordinate ids has files that belong to those; the kernel lets
    their removal through only in a user namespace with the same range (``unshare --map-auto``,
    util-linux 2.38).

    Raises
    ------
    BuildFailed
        It cannot be removed; the text says how an administrator does it.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    _make_writable(path)
    shutil.rmtree(path, ignore_errors=True)
    if path.exists() and os.geteuid() != 0:
        argv = ["unshare", "--map-auto", "--map-root-user", "rm", "-rf", "--", str(path)]
        with contextlib.suppress(OSError):
            subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True
            )
    if path.exists():
        raise BuildFailed(
            f"{path} cannot be removed: some of its files belong to other ids. "
            f"As root: rm -rf {path}"
        )


def _make_writable(top: Path) -> None:
    """Images have directories without write permission; their owner may still empty them."""
    for directory, names, _ in os.walk(top):
        for name in names:
            entry = os.path.join(directory, name)
            with contextlib.suppress(OSError):
                info = os.lstat(entry)
                if stat.S_ISDIR(info.st_mode) and info.st_mode & 0o700 != 0o700:
                    os.chmod(entry, 0o700)
