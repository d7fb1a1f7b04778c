"""Operating system users for tests: made, used and removed."""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
import random
import shutil
import string
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.daemon import CLEAN_ENVIRONMENT
from tests.cluster.errors import ClusterError, CommandFailed
from tests.cluster.packages import find_program
from tests.cluster.processes import Process, end_all, of_user
from tests.support.waiting import PATIENCE

# In the account's comment: whose it is, so that nothing but our own users is ever removed, and
# those of a test run that was killed are known as left over.
MARK = "moonlight-test-user"
LOCK = Path("/run/lock/moonlight-test-users.lock")
# Where everybody writes, and what a user left outlives his account.
COMMON = (Path("/tmp"), Path("/tmp/.X11-unix"), Path("/var/tmp"), Path("/dev/shm"))
# useradd gives the first uid that is free: that of the last test's user, with what it left.
UIDS = range(20_000, 60_000)


@dataclass(frozen=True)
class TestUser:
    """An account on this machine."""

    __test__ = False  # not a test class, whatever its name

    name: str
    uid: int
    gid: int
    home: Path

    @classmethod
    def named(cls, name: str) -> TestUser:
        """The account of that name; KeyError when there is none."""
        entry = pwd.getpwnam(name)
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))

    def __str__(self) -> str:
        return self.name


def unique_names(count: int) -> list[str]:
    """Names such as mlt-x7k2a, mlt-x7k2b: the same random part, one letter each."""
    alphabet = string.ascii_lowercase + string.digits
    middle = "".join(random.choices(alphabet, k=4))
    return [f"mlt-{middle}{letter}" for letter in string.ascii_lowercase[:count]]


@contextlib.contextmanager
def account_files() -> Iterator[None]:
    """One change of the account files at a time: useradd does not wait for their lock."""
    with open(LOCK, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ensure_users(names: Iterable[str], home_base: Path | None = None) -> list[TestUser]:
    """Create the users that do not exist; those that do are left as they are.

    Homes are `home_base`/NAME (/home by default) with mode 0700, the shell is bash. Safe in
    parallel. Users that a killed test run left behind are removed on the way.
    """
    base = home_base or Path("/home")
    with account_files():
        _remove_left_over()
        for name in names:
            if not _exists(name):
                _add(name, base / name.replace("\\", "_").replace(" ", "_"))
    return [TestUser.named(name) for name in names]


def remove_users(users: Iterable[TestUser | str]) -> None:
    """Remove users that `ensure_users` created, with their processes and homes; spare others."""
    with account_files():
        for user in users:
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(str(user))
                if _owner(entry) is not None:
                    _remove(entry)


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _add(name: str, home: Path) -> None:
    owner = Process.of(os.getpid())
    uid = _unused_uid()
    _run(
        [
            find_program("useradd"),
            "--create-home",
            f"--home-dir={home}",
            "--shell=/bin/bash",
            f"--uid={uid}",
            "--user-group",
            "--no-log-init",
            "--badname",  # directory services have names that useradd would not make
            f"--comment={MARK} {owner.pid} {owner.start}",
            name,
        ]
    )
    home.chmod(0o700)


def _unused_uid() -> int:
    """One that nobody has and that owns nothing: neither a process nor a file that all can see."""
    taken = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    for place in (Path("/proc"), *COMMON):
        taken |= {uid for uid, _ in _owners(place)}
    return random.choice([uid for uid in UIDS if uid not in taken])


def _owners(place: Path) -> Iterator[tuple[int, Path]]:
    with contextlib.suppress(FileNotFoundError):
        for path in place.iterdir():
            with contextlib.suppress(OSError):
                yield path.lstat().st_uid, path


def _owner(entry: pwd.struct_passwd) -> Process | None:
    """The process that created this user for a test; None for every other user."""
    words = entry.pw_gecos.split()
    if len(words) == 3 and words[0] == MARK:
        return Process(int(words[1]), words[2])
    return None


def _remove_left_over() -> None:
    for entry in pwd.getpwall():
        owner = _owner(entry)
        if owner is not None and not owner.alive():
            _remove(entry)


def _remove(entry: pwd.struct_passwd) -> None:
    end_all(lambda: list(of_user(entry.pw_uid)))
    _run([find_program("userdel"), "--force", entry.pw_name])
    shutil.rmtree(entry.pw_dir, ignore_errors=True)
    for place in COMMON:
        for uid, path in _owners(place):
            if uid == entry.pw_uid:
                _remove_path(path)


def _remove_path(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if not path.is_symlink() and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _run(argv: list[str]) -> None:
    finished = subprocess.run(
        argv, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, check=False, cwd="/"
    )
    if finished.returncode != 0:
        raise CommandFailed(argv, finished.returncode, finished.stderr)


def user_environment(user: TestUser | str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a login gives: PATH, LANG, HOME, USER, LOGNAME, SHELL, and `env` on top."""
    entry = pwd.getpwnam(str(user))
    return {
        **CLEAN_ENVIRONMENT,
        "HOME": entry.pw_dir,
        "USER": entry.pw_name,
        "LOGNAME": entry.pw_name,
        "SHELL": entry.pw_shell,
        **(env or {}),
    }


def as_user(user: TestUser | str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Keyword arguments for `subprocess.Popen` or `run` that make the child this user's.

    Its uid, gid and groups, a clean environment with `env` added, and its home as the directory.
    """
    try:
        entry = pwd.getpwnam(str(user))
    except KeyError as error:
        raise ClusterError(f"no user {user} on this machine: see ensure_users()") from error
    return {
        "user": entry.pw_uid,
        "group": entry.pw_gid,
        "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
        "umask": 0o022,
        "env": user_environment(user, env),
        "cwd": entry.pw_dir,
    }


def run_as(
    user: TestUser | str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    cwd: Path | str | None = None,
    timeout: float = PATIENCE,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program as a user and return its output as text.

    With `check` an exit code other than 0 raises CommandFailed, which shows the output.
    """
    options = as_user(user, env)
    if cwd is not None:
        options["cwd"] = cwd
    # Its own pipe or nothing: a test's terminal is not the user's.
    stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
    finished = subprocess.run(
        list(argv), text=True, capture_output=True, timeout=timeout, check=False, **stdin, **options
    )
    if check and finished.returncode != 0:
        raise CommandFailed(list(argv), finished.returncode, finished.stderr + finished.stdout)
    return finished
