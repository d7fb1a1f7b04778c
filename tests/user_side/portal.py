"""A portal's service account, its users and its sudoers rule, all real: made, used and removed."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.processes import of_user
from tests.cluster.users import (
    TestUser,
    account_files,
    as_user,
    ensure_users,
    remove_users,
    run_as,
    unique_names,
)
from tests.support.waiting import PATIENCE

SHIPPED = Path(__file__).resolve().parents[2] / "deploy/sudoers/moonlight-hpc"
_INSTALLED = Path("/etc/sudoers.d")
_PROGRAM = "/opt/moonlight-hpc/venv/bin/moonlight-hpc user-side"

# What the service runs: `work` has the manager, and what it returns is printed.
_SERVICE = """
import asyncio, json, sys
from moonlight_spawner.model.errors import MoonlightError
from moonlight_spawner.portal.manager import portal_manager
from moonlight_spawner.processes import loop
from moonlight_spawner.site.options import MoonlightSite

async def refused(asking):
    try:
        return ["answered", repr(await asking)[:2000]]
    except MoonlightError as e:
        return [e.code, e.message]

async def work(manager, *args):
{body}

async def main():
    settings, args = json.loads(sys.argv[1])
    manager = portal_manager(MoonlightSite(**settings))
    try:
        return await work(manager, *args)
    finally:
        await manager.close()

print(json.dumps(loop.run(main())))
"""


@dataclass(frozen=True)
class Portal:
    """``others`` are no users of the portal. ``hostile`` is a service as well: what its rule allows is
    each user's own ``~/side``, in the place of our program."""

    service: TestUser
    hostile: TestUser
    users: list[TestUser]
    other: TestUser
    config: Path
    command: list[str]

    def serve(self, body: str, *args: object, **settings: Any) -> Any:
        """What ``body`` of ``async def work(manager, *args)`` returns, run by the service's account."""
        return self._serve(
            self.service, body, args, {"user_side_command": self.command, **settings}
        )

    def serve_hostile(self, body: str, *args: object, **settings: Any) -> Any:
        command = [str(self.config.parent / "hostile")]
        return self._serve(self.hostile, body, args, {"user_side_command": command, **settings})

    def _serve(self, account: TestUser, body: str, args: Any, settings: dict[str, Any]) -> Any:
        process = self.start_serving(account, body, args, settings)
        out, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors and "Exception ignored" not in errors, errors
        return json.loads(out)

    @staticmethod
    def start_serving(
        account: TestUser, body: str, args: Any, settings: dict[str, Any], talk: bool = False
    ) -> subprocess.Popen[str]:
        source = _SERVICE.format(body=textwrap.indent(textwrap.dedent(body), "    "))
        given = [{"scheduler": "local", **settings}, [str(arg) for arg in args]]
        return subprocess.Popen(
            [sys.executable, "-c", source, json.dumps(given)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            text=True,
            **as_user(account),
        )

    def sudo(
        self, *arguments: str, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """sudo as the service's account, which has no terminal and no password."""
        return run_as(self.service, ["/usr/bin/sudo", "-n", *arguments], env=env, input="{}\n")


def sides_of(user: TestUser) -> list[int]:
    """Processes of his that are his side; not sudo in the moment before it becomes one."""
    return [
        pid
        for pid, words in of_user(user.uid).items()
        if ("user-side" in words or "hostile" in words) and "sudo" not in words.split()[0]
    ]


def sudos_of(account: TestUser) -> list[int]:
    """Processes of root that this account began: their real user is still his (credentials(7))."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            words = status.read_text("utf-8", "replace").partition("\nUid:")[2].split()
            if words[:2] == [str(account.uid), "0"]:
                found.append(int(status.parent.name))
    return found


@contextlib.contextmanager
def portal(count: int = 2, users: Sequence[TestUser] = ()) -> Iterator[Portal]:
    """One with ``count`` users of its own, or with these."""
    _remove_left_over()
    names = unique_names((0 if users else count) + 3)
    group = names[0][:-1] + "-g"
    directory = Path(tempfile.mkdtemp(prefix="mlt-portal-", dir="/var/tmp"))
    rules = [_INSTALLED / name for name in names[:2]]
    try:
        service, hostile, *made, other = ensure_users(names)
        users = [*users, *made]
        with account_files():
            _run(["groupadd", group])
            for user in users:
                _run(["usermod", "-aG", group, user.name])
        directory.chmod(0o755)
        config = directory / "config.py"
        config.write_text(_settings())
        config.chmod(0o644)
        side = directory / "hostile"
        side.write_text("#!/bin/sh\ncd && . ./side # hostile\n")
        side.chmod(0o755)
        program = str(Path(sys.prefix, "bin/moonlight-hpc"))
        command = [program, "user-side", "--config", str(config)]
        _install(rules[0], service, group, command)
        _install(rules[1], hostile, group, [str(side)])
        yield Portal(service, hostile, users, other, config, command)
    finally:
        for rule in rules:
            rule.unlink(missing_ok=True)
        for name in names[:2]:  # root's, so that removing the accounts does not end them
            with contextlib.suppress(KeyError):
                for pid in sudos_of(TestUser.named(name)):
                    os.kill(pid, signal.SIGKILL)
        remove_users(names)
        with account_files():
            subprocess.run(["groupdel", group], check=False, capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)


def _remove_left_over() -> None:
    """Rules and groups of a test run that was killed, once its accounts are gone."""
    with account_files():
        for rule in _INSTALLED.glob("mlt-*"):
            if not _exists(rule.name.partition(".")[0]):
                rule.unlink(missing_ok=True)
        for group in grp.getgrall():
            if re.fullmatch("mlt-....-g", group.gr_name) and not any(map(_exists, group.gr_mem)):
                _run(["groupdel", group.gr_name])


def _exists(account: str) -> bool:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(account) is not None
    return False


def _settings() -> str:
    return textwrap.dedent("""
        c = get_config()
        c.MoonlightSite.scheduler = "local"
        c.MoonlightSite.sessions_dir = "~/sessions"
        c.MoonlightSite.sandboxes_dir = "~/sandboxes"
        c.MoonlightSite.logs_dir = ""
        c.MoonlightSite.images_dir = "/var/empty"
        c.MoonlightSite.resolution = "1024x768"
        c.MoonlightSite.user_side_seconds = 200
        c.MoonlightSite.sharing = "control"
        """)


def _install(rule: Path, service: TestUser, group: str, command: Sequence[str]) -> None:
    """The shipped rule, with the names of this place: nothing else is changed."""
    lines = SHIPPED.read_text("utf-8").splitlines()
    told = "\n".join(line for line in lines if not line.startswith("#"))
    text = told.replace(_PROGRAM, " ".join(command)).replace("%hpcusers", f"%{group}")
    text = text.replace("Defaults:moonlight-hpc", f"Defaults:{service}")
    text = text.replace("\nmoonlight-hpc ", f"\n{service} ") + "\n"
    assert _PROGRAM not in text and "hpcusers" not in text
    partial = rule.with_name(f"{rule.name}.new")  # sudo passes over a name with a dot
    partial.write_text(text)
    partial.chmod(0o440)
    _run(["visudo", "-cf", str(partial)])
    os.replace(partial, rule)


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{argv}: {done.stderr}"
