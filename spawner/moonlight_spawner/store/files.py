"""Records as files in the user's own directory, which the compute nodes share.

One directory a session, mode 0700; in it one JSON file a part, mode 0600, replaced atomically.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Collection
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from ..model.account import account, path_name
from ..model.errors import NotFound, UnsafeDirectory
from ..model.files import (
    open_private,
    private_directory,
    read_shared,
    write_private,
    write_private_once,
)
from ..model.said import said_by
from ..model.session import SESSION_ID, Model, from_epoch
from ..model.trust import make_directories
from .base import Damaged, M, Part, Store

log = logging.getLogger(__name__)

# The largest part has the steps of a start and a certificate: a few kilobytes.
_MOST_BYTES = 1 << 20
# Owners and modes on the way to the records are looked at again after this; those of each
# directory and file are looked at whenever it is opened.
_LOOK_AGAIN_SECONDS = 10.0


class FileStore(Store):
    """The records of this process's own user below ``root``.

    ``root`` may be shared by all users (``/scratch/sunshine_sessions``): below it everyone has a
    directory of his own name.
    """

    def __init__(self, root: str | Path):
        self._account = account()
        self._shared = Path(root)
        self._looked_at = float("-inf")

    @property
    def user(self) -> str:
        """The login name of this process's user, readable (:class:`..account.Account`)."""
        return self._account.name

    @property
    def root(self) -> Path:
        """The user's own directory, made if need be.

        Raises
        ------
        UnsafeDirectory
        """
        own = self._shared / self.own_name
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS:
            self._look(own)
            self._looked_at = time.monotonic()
        return own

    def _look(self, own: Path) -> None:
        try:
            make_directories(self._shared)
        except OSError as e:
            raise UnsafeDirectory(
                f"Cannot make the directory {self._shared}, where sessions keep their records: "
                f"{e.strerror}. Name one that you may write to in the setting sessions_dir."
            ) from e
        try:
            private_directory(own)
        except UnsafeDirectory as e:
            raise UnsafeDirectory(f"{e} The setting sessions_dir names where it lies.") from e

    @property
    def own_name(self) -> str:
        """The name of the user's own directories in places that all users share."""
        return path_name(self._account.login)

    def directory(self, session_id: str) -> Path:
        """The session's directory, for its agent. It may not exist.

        Raises
        ------
        NotFound
            ``session_id`` is not of the form of an id, so it names no path either.
        """
        if not SESSION_ID.fullmatch(session_id):
            raise NotFound("There is no such session: an id looks like ml-user-abcdefghij.")
        return self.root / session_id

    def claim_key(self, user: str, request_key: str, session_id: str) -> str:
        """The session that owns ``request_key``: ``session_id`` if the key was free.

        Called within :meth:`exclusively`, together with the writing of the session's facts.
        """
        self._own(user)
        keys = private_directory(self.root / "keys")
        path = keys / _digest(request_key)
        if write_private_once(path, session_id):
            return session_id
        owner = (read_shared(path) or b"").decode("ascii", "replace")
        if SESSION_ID.fullmatch(owner):
            return owner
        write_private(path, session_id)
        return session_id

    def release_key(self, user: str, request_key: str) -> None:
        """Forget a key whose session came to nothing, so that a retry may try again."""
        self._own(user)
        (self.root / "keys" / _digest(request_key)).unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def exclusively(self, user: str) -> AsyncIterator[None]:
        """While it is entered no other process of the user is in it."""
        self._own(user)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = open_private(self.root / "create.lock", flags)
        try:
            while not _locked(fd):
                await asyncio.sleep(0.02)
            yield
        finally:
            os.close(fd)

    def put(self, user: str, session_id: str, part: Part, data: Model) -> None:
        self._own(user)
        directory = private_directory(self.directory(session_id))
        write_private(directory / f"{part}.json", data.model_dump_json())

    def put_once(self, user: str, session_id: str, part: Part, data: Model) -> bool:
        self._own(user)
        directory = private_directory(self.directory(session_id))
        return write_private_once(directory / f"{part}.json", data.model_dump_json())

    def look(self, user: str, session_id: str, part: Part, model: type[M]) -> M | Damaged | None:
        if user != self.user:
            return None
        return _read(self.directory(session_id) / f"{part}.json", model)

    def mend(self, user: str, session_id: str, part: Part, data: Model) -> None:
        self._own(user)
        path = self.directory(session_id) / f"{part}.json"
        if path.is_dir() and not path.is_symlink():  # a file cannot take its place
            path.rename(path.with_name(f"{path.name}.damaged-{secrets.token_hex(4)}"))
        self.put(user, session_id, part, data)

    def drop(self, user: str, session_id: str, part: Part) -> None:
        self._own(user)
        (self.directory(session_id) / f"{part}.json").unlink(missing_ok=True)

    def parts(self, user: str, session_id: str) -> Collection[str]:
        if user != self.user:
            return ()
        try:
            names = os.listdir(self.directory(session_id))
        except OSError:
            return ()
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def written_at(self, user: str, session_id: str, part: Part) -> datetime | None:
        if user != self.user:
            return None
        try:
            return from_epoch((self.directory(session_id) / f"{part}.json").lstat().st_mtime)
        except (OSError, OverflowError, ValueError):
            return None

    def ids(self, user: str) -> list[str]:
        if user != self.user:
            return []
        return [name for name in os.listdir(self.root) if SESSION_ID.fullmatch(name)]

    def remove(self, user: str, session_id: str) -> None:
        """Forget a session and its request key."""
        self._own(user)
        directory = self.directory(session_id)
        with contextlib.suppress(OSError):  # of mode 0000: made under an odd umask, or by hand
            directory.chmod(0o700)
        gone = directory.with_name(f".{session_id}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):  # half a record looks like a damaged one
            directory = directory.rename(gone)
        shutil.rmtree(directory, ignore_errors=True)
        keys = self.root / "keys"
        for path in keys.iterdir() if keys.is_dir() else ():
            if read_shared(path) == session_id.encode():
                path.unlink(missing_ok=True)

    def _own(self, user: str) -> None:
        if user != self.user:
            raise NotFound(f"This store keeps the sessions of {self.user} only, not of {user}.")


def _read(path: Path, model: type[M]) -> M | Damaged | None:
    """A part, None if there is none, or what is wrong with it. Nothing that lies there raises."""
    try:
        data = read_shared(path, _MOST_BYTES + 1)
        if data is None:
            return None
        if len(data) > _MOST_BYTES:
            return Damaged(str(path), f"it has more than {_MOST_BYTES} bytes")
        return model.model_validate_json(data)
    except OSError as e:
        plain = path.is_file() and not path.is_symlink()
        return Damaged(str(path), said_by(e) if plain else "it is no plain file")
    except ValidationError as e:
        wrong = e.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in wrong["loc"])
        return Damaged(str(path), f"{where}: {wrong['msg']}" if where else wrong["msg"])
    except ValueError as e:  # what a validator has not thought of
        return Damaged(str(path), str(e)[:200])


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as e:  # a file system without locks: limits are then a courtesy
        log.warning("the sessions directory takes no locks: %s", e)
    return True


def _digest(request_key: str) -> str:
    return hashlib.sha256(request_key.encode()).hexdigest()
