"""The pinned files: taken from a directory or fetched by HTTPS, and never used unchecked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO

from .failures import BuildFailed
from .recipe import Download

_BLOCK = 1 << 20
_TIMEOUT = 60.0


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def problems_offline(directory: Path, downloads: Iterable[Download]) -> list[str]:
    """What a directory of downloads lacks: one sentence a file, with its address and SHA-256."""
    found = []
    for one in downloads:
        path = directory / one.file
        if not path.is_file():
            found.append(
                f"Missing in {directory}: {one.file}\n    from   {one.url}\n    sha256 {one.sha256}"
            )
        elif (actual := sha256_of(path)) != one.sha256:
            found.append(
                f"{path} is not the pinned file: its SHA-256 is {actual}, but must be "
                f"{one.sha256}. Fetch it again from {one.url}"
            )
    return found


def provide(one: Download, kept: Path, offline: Path | None, say: Callable[[str], None]) -> Path:
    """The checked file: in ``kept`` already, copied from ``offline``, or fetched.

    Raises
    ------
    BuildFailed
        It cannot be had, or is not the pinned file; nothing unchecked stays in ``kept``.
    """
    path = kept / one.file
    if path.is_file() and sha256_of(path) == one.sha256:
        return path
    fd, name = tempfile.mkstemp(prefix=f".{one.file}.", dir=kept)
    part = Path(name)
    try:
        with open(fd, "wb") as target:
            if offline is not None:
                with open(offline / one.file, "rb") as source:
                    shutil.copyfileobj(source, target, _BLOCK)
            else:
                say(f"      fetching {one.url}")
                _fetch(one, target)
        actual = sha256_of(part)
        if actual != one.sha256:
            raise BuildFailed(
                f"{one.url if offline is None else offline / one.file} is not the pinned file: "
                f"its SHA-256 is {actual}, but must be {one.sha256}. It was thrown away. "
                "A changed file under the same name is a reason to look closer, not to change the "
                "pin."
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not HTTPS")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(one: Download, target: IO[bytes]) -> None:
    opener = urllib.request.build_opener(_OnlyHttps())
    try:
        with opener.open(one.url, timeout=_TIMEOUT) as answer:
            shutil.copyfileobj(answer, target, _BLOCK)
    except (OSError, HTTPException) as e:
        why = getattr(e, "reason", None) or e
        raise BuildFailed(
            f"{one.url} cannot be fetched: {why}. Without internet access, put the file into a "
            f"directory and call this again with --offline DIRECTORY (sha256 {one.sha256})."
        ) from e


def write_sums(directory: Path, sums: dict[str, str]) -> None:
    """``SHA256SUMS`` as ``sha256sum --check`` reads it."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
    (directory / "SHA256SUMS").write_text("".join(lines), "utf-8")
