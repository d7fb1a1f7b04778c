"""What lies on the portal's machine: keys, the program that sudo runs, the rule, shared directories."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from ..model.trust import exchangeable, root_owns, who
from ..site.options import MoonlightSite
from .ask import answer, last_line
from .finding import SECONDS, Finding
from .keys import readable_for_others, unreadable
from .service import serving

_SUDO = "/usr/bin/sudo"
_RULE = "deploy/sudoers/moonlight-hpc"
_READ_ONLY = ("/usr/", "/boot/", "/etc/")  # deploy/systemd/moonlight-hpc.service


async def directories(site: MoonlightSite, config: Path | None) -> Finding:
    name = "directories"
    account = _account(site, config)
    for why, fix in (
        *readable_for_others(site, account),
        *_audit(site, account),
        *_program(site),
        *_shared(site),
    ):
        return Finding(name, False, why, fix)
    why, fix = await unreadable(site, account)
    if not why:
        why, fix = await _rule(site, account)
    if why:
        return Finding(name, False, why, fix)
    owner = account.pw_name if account else "the service"
    texts = [f"keys are {owner}'s alone", f"{site.user_side_command[0]} is root's"]
    rule = f"sudo lets {owner} run it" if _may_ask(account) else ""
    texts.append(rule or "sudo's rule was not looked at: only root and the service may")
    texts += [f"{path} is root's and sticky" for path in _shared_directories(site)]
    return Finding(name, True, "; ".join(texts))


def _account(site: MoonlightSite, config: Path | None) -> pwd.struct_passwd | None:
    """The service's: of its process, or of its key."""
    for process in serving(site, config):
        return pwd.getpwuid(process.uids().effective)
    try:
        return pwd.getpwuid(Path(site.portal_key_file).stat().st_uid)
    except (OSError, KeyError):
        return None


def _audit(site: MoonlightSite, account: pwd.struct_passwd | None) -> Iterator[tuple[str, str]]:
    """The service opens it anew after each rotation."""
    if not site.portal_audit_file:
        return
    path = Path(site.portal_audit_file).parent
    owner = account.pw_name if account else "moonlight-hpc"
    fix = f"install -d -m 0700 -o {owner} {path}; or /var/log/moonlight-hpc-audit, which the unit makes"
    try:
        info = path.stat()
    except PermissionError:
        return  # not ours to see
    except OSError as e:
        yield f"{path}, for `portal_audit_file`: {e.strerror}", fix
        return
    if account and info.st_uid != account.pw_uid:
        yield f"{path}, for `portal_audit_file`, is {who(info.st_uid)}'s, not {owner}'s", fix
    if info.st_mode & 0o022:
        yield f"others may write to {path}, of `portal_audit_file`", f"chmod go-w {path}"
    if os.path.realpath(path).startswith(_READ_ONLY):
        text = f"{path}, for `portal_audit_file`, is only read by the service (ProtectSystem=)"
        yield text, fix


def _program(site: MoonlightSite) -> Iterator[tuple[str, str]]:
    """Who could exchange it would act as every user."""
    path = Path(site.user_side_command[0])
    try:
        info = path.stat()
    except OSError as e:
        yield f"{path}, of `user_side_command`: {e.strerror}", "Correct it, in sudo's rule as well."
        return
    if not root_owns(info) or info.st_mode & 0o022:
        yield (
            f"{path}, which runs as every user, is not root's alone",
            f"chown root {path}; chmod go-w {path}",
        )
    elif why := exchangeable(path.parent):
        yield why, "What runs as every user has to lie where only root can put something."


def _shared_directories(site: MoonlightSite) -> list[str]:
    home = os.path.expanduser("~")
    named = [site.sessions_dir, site.logs_dir, site.sandboxes_dir]
    return [path for path in named if path and not path.startswith(home.rstrip("/") + "/")]


def _shared(site: MoonlightSite) -> Iterator[tuple[str, str]]:
    for path in _shared_directories(site):
        fix = f"install -d -o root -m 1777 {path}"
        try:
            info = os.stat(path)
        except OSError as e:
            yield f"{path}: {e.strerror}", fix
            continue
        if not root_owns(info) or info.st_mode & 0o1777 != 0o1777:
            mode = stat.S_IMODE(info.st_mode)
            yield f"{path} is {who(info.st_uid)}'s with mode {mode:04o}, not root's and sticky", fix
        elif why := exchangeable(path):
            yield why, fix


def _may_ask(account: pwd.struct_passwd | None) -> bool:
    return account is not None and os.geteuid() in (0, account.pw_uid)


async def _rule(site: MoonlightSite, account: pwd.struct_passwd | None) -> tuple[str, str]:
    """What sudo itself says of it: only root may ask for others."""
    if account is None or not _may_ask(account):
        return "", ""
    argv = [_SUDO, "-n", "-l", *(["-U", account.pw_name] if os.geteuid() == 0 else [])]
    said = await answer(argv, SECONDS)
    command = " ".join(site.user_side_command)
    fix = f"Install {_RULE} for {account.pw_name} and `{command}`."
    if said.ended:
        return f"sudo -l of {account.pw_name}: {said.why}", fix
    if command not in " ".join(said.output.replace("\\", "").split()):
        return (
            f"sudo does not let {account.pw_name} run `{command}`: {last_line(said.output).strip()}",
            fix,
        )
    return "", ""
