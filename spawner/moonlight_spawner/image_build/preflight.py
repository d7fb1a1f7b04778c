"""What has to be in order before an hour of work begins; all problems are told at once."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import apptainer

GIB = 1 << 30
# An image of GNOME is 1.5 GiB packed and 5 GiB unpacked; Apptainer holds it unpacked while it
# builds, and the packed one once in its cache.
_SCRATCH_OUTPUT = 3 * GIB
_SCRATCH_WORK = 12 * GIB
_ADDED = 2 * GIB  # what our additions take at most, unpacked
_UNPACKED = 4  # an unpacked image is up to four times as large


@dataclass(frozen=True)
class Space:
    """Bytes that have to be free in the output and in the work directory."""

    output: int
    work: int


def space_for(vnc_images: Iterable[Path] | None) -> Space:
    """The largest image decides: they are built one after the other.

    ``vnc_images`` are the images to start from, None for a build from scratch.
    """
    if vnc_images is None:
        return Space(_SCRATCH_OUTPUT, _SCRATCH_WORK)
    largest = max((path.stat().st_size for path in vnc_images if path.exists()), default=0)
    return Space(largest + _ADDED, _UNPACKED * largest + 2 * _ADDED)


def check_apptainer(program: str) -> list[str]:
    """Apptainer is there and new enough."""
    path = shutil.which(program)
    if path is None:
        return [
            f"{program} is not found on PATH. Install Apptainer 1.2 or newer (Debian, Ubuntu: its "
            "packages from github.com/apptainer/apptainer/releases; RHEL and relatives: EPEL, "
            "`dnf install apptainer`), or load its module, or name it by --apptainer."
        ]
    version = apptainer.version_of(path)
    oldest = ".".join(map(str, apptainer.OLDEST))
    if version is None:
        return [f"`{path} --version` does not answer like Apptainer. Name another by --apptainer."]
    if version < apptainer.OLDEST:
        return [f"{path} is version {version[0]}.{version[1]}; {oldest} or newer is needed."]
    return []


def check_rights(root: Path = Path("/")) -> tuple[list[str], list[str]]:
    """Whether this user may act as root in a container: problems, and notes.

    Root may. Anyone else needs user namespaces, which three kernel settings can forbid; without a
    range of subordinate ids Apptainer goes on with the `fakeroot` command, which most packages
    install under.

    Parameters
    ----------
    root
        Where /proc and /etc are looked for.
    """
    if os.geteuid() == 0:
        return [], []
    settings = [
        ("proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
        ("proc/sys/kernel/unprivileged_userns_clone", "0",
         "sysctl -w kernel.unprivileged_userns_clone=1"),
    ]  # fmt: skip
    for name, forbidden, remedy in settings:
        if _read(root / name) == forbidden:
            return [
                f"User namespaces are switched off (/{name} is {forbidden}), so an ordinary user "
                f"cannot build images. As root: `{remedy}`, or build as root."
            ], []
    notes = []
    if _read(root / "proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        notes.append(
            "AppArmor restricts user namespaces here. If the build stops with `permission denied`, "
            "install Apptainer's AppArmor profile (its Ubuntu packages have one) or build as root."
        )
    user = pwd.getpwuid(os.geteuid()).pw_name
    mapped = all(_has_range(root / "etc" / name, user) for name in ("subuid", "subgid"))
    if not mapped and shutil.which("fakeroot") is None:
        return [
            f"{user} has no range in /etc/subuid and /etc/subgid, and the command fakeroot is not "
            f"installed: packages could not be installed in the image. As root: `apptainer config "
            f"fakeroot --add {user}`, or install fakeroot, or build as root."
        ], notes
    if not mapped:
        notes.append(
            f"{user} has no range in /etc/subuid and /etc/subgid; the command fakeroot is used "
            f"instead. If a package fails, as root: `apptainer config fakeroot --add {user}`."
        )
    return [], notes


def check_directories(output: Path, work: Path, space: Space) -> list[str]:
    """Both can be written and have room; together, if they share a file system."""
    problems = []
    for path, mode, option in ((output, 0o755, "--output-dir"), (work, 0o700, "--work-dir")):
        if why := _why_not_writable(path, mode):
            problems.append(f"{path} cannot be written: {why}. Name another by {option}.")
    if problems:
        return problems
    if any(c.isspace() or c in ":,{}'\"\\" for c in str(work)):
        problems.append(
            f"The work directory {work!s} has a blank, comma, colon, brace or quote in its name, "
            "which Apptainer's definitions and binds cannot express. Name another by --work-dir."
        )
    if os.statvfs(work).f_flag & os.ST_NOEXEC:
        problems.append(
            f"{work} is on a file system mounted noexec; programs of the image have to run there. "
            "Name another by --work-dir."
        )
    needs = [(output, space.output), (work, space.work)]
    if os.stat(output).st_dev == os.stat(work).st_dev:
        needs = [(work, space.output + space.work)]
    for path, needed in needs:
        free = shutil.disk_usage(path).free
        if free < needed:
            problems.append(
                f"{path} has {free / GIB:.1f} GiB free, but the build needs {needed / GIB:.1f} GiB. "
                "Make room, or name other places by --work-dir and --output-dir."
            )
    return problems


def owner_ids(owner: str | None, group: str | None) -> tuple[int, int]:
    """Numbers of the owner and group that an image gets; -1 for "as it is".

    Raises
    ------
    ValueError
        There is no such user or group, or this process may not give files to it.
    """
    uid = _id(owner, "user", lambda name: pwd.getpwnam(name).pw_uid)
    gid = _id(group, "group", lambda name: grp.getgrnam(name).gr_gid)
    if os.geteuid() != 0:
        if uid not in (-1, os.geteuid()):
            raise ValueError(f"Only root can give an image to user {owner}. Build as root.")
        if gid not in (-1, os.getegid(), *os.getgroups()):
            raise ValueError(f"You are not in group {group}, so an image cannot be given to it.")
    return uid, gid


def _id(name: str | None, kind: str, look_up: Callable[[str], int]) -> int:
    if name is None:
        return -1
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        raise ValueError(f"There is no {kind} {name} on this machine.") from None


def _has_range(path: Path, user: str) -> bool:
    owners = [line.partition(":")[0] for line in _read(path).splitlines()]
    return user in owners or str(os.geteuid()) in owners


def _why_not_writable(path: Path, mode: int) -> str | None:
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return None
    except OSError as e:
        return str(e.strerror)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
