"""What a user changes in an image outside the home: forgotten, or kept from session to session.

Kept in one private directory for each user and image, ``<sandboxes_dir>/<user>_<image>``:

- ``overlay``: an ext3 image file above the read-only image. A file, because a directory on NFS or
  Lustre cannot be the upper layer of an overlay; sparse, so it takes what is really used.
- ``sandbox``: the image unpacked once into a directory, writable.

Only the desktop sees the changes. Sunshine comes from the image as the site built it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ...model.account import path_name
from ...model.errors import UnsafeDirectory
from ...model.files import private_directory, read_shared, write_private
from ...model.records import ImageOptions
from ...model.sentences import Said
from ...processes.child import Child
from .container import Apptainer

_MOST_LINKS = 40  # as the kernel has it (path_resolution(7))


class ChangesFailed(Exception):
    """The place for a user's changes cannot be used. The text says what to do."""


class Changes:
    """The user's changes of one image, held by one session at a time.

    Two writers would destroy an ext3 image, so the lock of a file beside it is held until the
    agent's process ends, and with it everything that has the image mounted.
    """

    def __init__(self, options: ImageOptions, user: str, image_id: str, log_dir: Path):
        self._options = options
        self._directory = Path(options.sandboxes_dir) / f"{path_name(user)}_{image_id}"
        self._log = log_dir / "image.log"
        self._lock: int | None = None

    async def open(
        self, image: Apptainer, env: Mapping[str, str], note: Callable[[Said], None]
    ) -> Apptainer:
        """The image as the desktop is to use it.

        Raises
        ------
        ChangesFailed
        """
        if self._options.changes == "read-only":
            return image
        try:
            private_directory(self._directory, parents=True)
            free = self._take()
        except (OSError, UnsafeDirectory) as e:
            raise ChangesFailed(
                f"Your changes of the image are kept in {self._directory}, which cannot be used: {e} "
                "The setting is `sandboxes_dir`."
            ) from e
        if not free:
            note(
                Said.by(
                    "ChangesInUse",
                    "Another session of yours uses your changes of this image: this one shows the "
                    "image as it was built, and forgets what you change outside your home.",
                )
            )
            return image
        if self._options.changes == "overlay":
            return await self._overlay(image, env)
        return await self._sandbox(image, env, note)

    def _take(self) -> bool:
        fd = os.open(
            self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # across nodes too, on NFS
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._lock = fd
        return True

    async def _overlay(self, image: Apptainer, env: Mapping[str, str]) -> Apptainer:
        path = self._directory / "overlay.img"
        if not path.exists():
            making = self._directory / "overlay.img.new"
            making.unlink(missing_ok=True)
            size = f"--size={self._options.overlay_mb}"
            await self._make(image, env, "overlay", "create", "--sparse", size, making)
            os.replace(making, path)
        changed = image.changing(["--overlay", str(path)])
        await self._try(changed, env, path)
        return changed

    async def _sandbox(
        self, image: Apptainer, env: Mapping[str, str], note: Callable[[Said], None]
    ) -> Apptainer:
        path, built_from = self._directory / "sandbox", self._directory / "built-from"
        info = os.stat(image.path)
        identity = f"{image.path} {info.st_size} {info.st_mtime_ns}\n"
        if not path.exists():
            making = self._directory / "sandbox.new"
            shutil.rmtree(making, ignore_errors=True)
            await self._make(image, env, "build", "--sandbox", making, image.path)
            write_private(built_from, identity)
            os.replace(making, path)
        elif (read_shared(built_from) or b"").decode() != identity:
            note(
                Said.by(
                    "ImageRenewed",
                    "The image was renewed since you began to change it, and you still use your copy "
                    "of the old one. To have the new one, remove {path} when no session runs.",
                    path=path,
                )
            )
        make_mount_points(image, path)
        changed = image.changing(["--writable"], str(path))
        await self._try(changed, env, path)
        return changed

    async def _try(self, image: Apptainer, env: Mapping[str, str], path: Path) -> None:
        """A file system that cannot be mounted shows here, with its own words."""
        why = await self._failure(image.argv(["true"], env), env)
        if why:
            raise ChangesFailed(
                f"Your changes of the image cannot be mounted: {why} They are in {path}; rename that "
                "to start with the image as it was built."
            )

    async def _make(self, image: Apptainer, env: Mapping[str, str], *words: str | Path) -> None:
        why = await self._failure([image.program(env), *map(str, words)], env)
        if why:
            raise ChangesFailed(
                f"The place for your changes of the image cannot be made in {self._directory}: {why}"
            )

    async def _failure(self, argv: list[str], env: Mapping[str, str]) -> str:
        child = Child("changes", argv, env, self._log)
        try:
            await child.start()
            status = await child.wait()
        except OSError as e:
            return f"{argv[0]} cannot be run: {e.strerror}."
        finally:
            await child.stop(1.0)
        return (
            f"{child.last_words(2) or 'it said nothing'} (exit status {status})." if status else ""
        )


def make_mount_points(image: Apptainer, sandbox: Path) -> None:
    """Whatever is shown in the image needs a place there, which in a sandbox nothing else makes: at every
    opening, because sites show more directories one day, and every session has another one of its own.

    Raises
    ------
    ChangesFailed
    """
    for source, target in image.shown:
        place = _inside(sandbox, target)
        try:
            if os.path.isdir(source) or not os.path.exists(source):
                place.mkdir(parents=True, exist_ok=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
        except OSError as e:
            raise ChangesFailed(
                f"{target} cannot be shown in your copy of the image: there is no {place}, and it "
                f"cannot be made: {e.strerror}. Make it, or rename {sandbox} to start with the image as "
                "it was built."
            ) from e


def _inside(root: Path, target: str) -> Path:
    """Where ``target`` of the image lies below ``root``: its links lead to places in the image."""
    place, ahead, links = root, list(Path(target).parts[1:]), _MOST_LINKS
    while ahead:
        part = ahead.pop(0)
        if part == "..":
            place = place if place == root else place.parent
        elif (place / part).is_symlink() and links:
            links -= 1
            leads = Path(os.readlink(place / part))
            place = root if leads.is_absolute() else place
            ahead = [*(p for p in leads.parts if p != "/"), *ahead]
        else:
            place /= part
    return place
