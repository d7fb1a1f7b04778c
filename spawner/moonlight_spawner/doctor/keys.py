"""The files of a portal's keys and passwords, with TURN's secret: its service reads them, and no user."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from ..model.trust import who
from ..site.options import MoonlightSite
from .ask import answer
from .finding import SECONDS


def readable_for_others(
    site: MoonlightSite, account: pwd.struct_passwd | None
) -> Iterator[tuple[str, str]]:
    """What is wrong with each, and what to do. ``account``: the service's."""
    for setting, path in _files(site):
        owner = account.pw_name if account else "moonlight-hpc"
        try:
            info, above = path.stat(), path.parent.stat()
        except PermissionError:
            continue  # not ours to see, and so nobody else's
        except FileNotFoundError:
            if setting == "portal_key_file":  # the service makes it
                if not path.parent.is_dir():
                    fix = f"install -d -m 0700 -o {owner} {path.parent}"
                    yield f"{path.parent}, for `{setting}`, is not there", fix
            else:
                yield f"{path}, of `{setting}`, is not there", f"Correct `{setting}`, or make it."
            continue
        if not stat.S_ISREG(info.st_mode):
            continue
        mode = stat.S_IMODE(info.st_mode)
        if mode & 0o077:
            yield f"{path} (mode {mode:04o}) is readable for others", _its_own(owner, path)
        if account and info.st_uid not in (0, account.pw_uid):
            yield f"{path} belongs to {who(info.st_uid)}", _its_own(owner, path)
        if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
            yield (
                f"others may write to {path.parent} and exchange {path.name}",
                f"chmod go-w {path.parent}",
            )


async def unreadable(site: MoonlightSite, account: pwd.struct_passwd | None) -> tuple[str, str]:
    """The first one that the service itself cannot read: tried as its account, which knows of the
    directories above, groups and ACLs. Only root and that account can try."""
    if account is None or os.geteuid() not in (0, account.pw_uid):
        return "", ""
    test = ["/usr/bin/test", "-r"]
    if os.geteuid() == 0:
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
        test = ["/usr/bin/setpriv", *ids, *test]
    for setting, path in _files(site):
        if setting == "portal_key_file" and not path.exists():
            continue
        said = await answer([*test, str(path)], SECONDS)
        if said.ended:
            text = f"{account.pw_name}, the service, cannot read {path}, of `{setting}`"
            fix = f"{_its_own(account.pw_name, path)}; it has to be able to enter {path.parent}."
            return f"{text}: {said.errors.strip()}" if said.errors else text, fix
    return "", ""


def _its_own(owner: str, path: Path) -> str:
    return f"chown {owner} {path}; chmod 0600 {path}"


def _files(site: MoonlightSite) -> list[tuple[str, Path]]:
    """Each setting that names one here, and the file."""
    named = [(name, getattr(site, name)) for name in site.trait_names(config=True)]
    return [(name, Path(value)) for name, value in named if value and _names_a_secret(name)]


def _names_a_secret(setting: str) -> bool:
    """Keys and passwords; what is public (certificates, the issuer's key) everybody may read."""
    if (
        setting == "turn_secret_file"
    ):  # in a portal its service makes all credentials (portal/turn.py)
        return True
    secret = setting.endswith(("_key_file", "_secret_file", "_password_file", "_token_file"))
    return secret and setting.startswith("portal_") and "public" not in setting
