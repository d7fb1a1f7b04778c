"""docs/deployment.md followed to its end and all the way back, by its own commands; in a world of its own.

What stands for what a test cannot have is in ``_INSTEAD``, and ``systemctl`` beside this file.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.waiting import PATIENCE, wait_for

from .document import Command, Phase, phases
from .site import AUTHORITY, EXAMPLE, FOREIGN, HERE, NAME, SERVER, USERS, Site, run, site
from .world import BEFORE, WRITTEN

VENV = Path("/opt/moonlight-hpc/venv")
AUDIT = Path("/var/log/moonlight-hpc-audit/audit.log")
SESSIONS = "/api/moonlight/sessions"
# What other programs write by themselves, and what is the users'.
_NOT_OURS = re.compile(
    r"/(home|root|run|tmp|var/(tmp|backups|cache/(ldconfig|man)))(/|$)"
    r"|/var/(log|lib)/(?!moonlight)"
    r"|/etc/(passwd|shadow|group|gshadow|subuid|subgid)-$|/etc/\.pwd\.lock$|/etc/redis/|.*/__pycache__(/|$)"
)


def _environment() -> None:
    """Without a pip in it, which takes longest and is not used here; of the Python that tests run on:
    what it finds first in a developer's PATH may be below a home that nobody else may enter."""
    run(str(Path(sys.base_prefix, "bin", "python3")), "-m", "venv", "--without-pip", str(VENV))


def _install() -> None:
    """In the place of pip, which would need a network: what it would install is what is tested."""
    place = sysconfig.get_path("purelib", vars={"base": str(VENV), "platbase": str(VENV)})
    Path(place, "product.pth").write_text(sysconfig.get_path("purelib") + "\n")
    for script in Path(sys.prefix, "bin").iterdir():
        text = script.read_bytes()
        if text.startswith(b"#!") and not (VENV / "bin" / script.name).exists():
            made = VENV / "bin" / script.name
            made.write_bytes(text.replace(sys.prefix.encode(), bytes(VENV)))
            made.chmod(0o755)
    (VENV / "share").symlink_to(Path(sys.prefix, "share"))


def _edit() -> None:
    """A site without images, which wants a file about who did what."""
    path = Path("/etc/moonlight-hpc/config.py")
    text = path.read_text("utf-8")
    assert text == EXAMPLE.read_text("utf-8")
    text = text.replace("# c.MoonlightSite.portal_audit_file", "c.MoonlightSite.portal_audit_file")
    path.write_text(text + 'c.MoonlightSite.host_desktop = "always"\n', "utf-8")


_INSTEAD: dict[str, Callable[[], None]] = {
    "python3 -m venv /opt/moonlight-hpc/venv": _environment,
    "/opt/moonlight-hpc/venv/bin/pip install ": _install,
    "editor /etc/moonlight-hpc/config.py": _edit,
    # A site without images leaves these out.
    "moonlight-hpc images build desktop": lambda: None,
    "install -d -m 0755 /opt/moonlight-hpc/images ": lambda: None,
}


def workers() -> set[int]:
    """nginx's processes, but its first one."""
    master = int(Path("/run/nginx.pid").read_text())
    return set(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))


class Admin:
    """A shell of root's that is kept all the way."""

    def __init__(self) -> None:
        env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
        }
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            env={**env, "LANG": "C.UTF-8"},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.left = set(_INSTEAD)

    def does(self, commands: list[Command]) -> None:
        for command in commands:
            begun = next((word for word in _INSTEAD if command.text.startswith(word)), None)
            if begun:
                self.left.discard(begun)
                _INSTEAD[begun]()
                print(f"(instead) {command.text}", flush=True)
            else:
                before = workers()
                said = self.says(command.text, command.as_root)
                if "nginx -s reload" in command.text:  # which does not wait for itself
                    wait_for(lambda before=before: not before & workers())
                for line in command.shown:
                    pattern = ".*".join(map(re.escape, line.split("…")))
                    assert any(re.fullmatch(pattern, one) for one in said.splitlines()), (
                        line,
                        said,
                    )

    def says(self, text: str, as_root: bool = True) -> str:
        print(f"{'#' if as_root else '$'} {text}", flush=True)
        if not as_root:
            who = "HOME=/home/alice USER=alice LOGNAME=alice"
            text = f"runuser -u alice -- env {who} bash -c {shlex.quote('cd && ' + text)}"
        assert self._shell.stdin and self._shell.stdout
        self._shell.stdin.write(f"{{ {text}\n}} </dev/null\nprintf '\\nstatus %s\\n' $?\n")
        self._shell.stdin.flush()
        lines = []
        while not (
            ended := re.fullmatch("status ([0-9]+)\n", line := self._shell.stdout.readline())
        ):
            assert line, "the shell has ended"
            lines.append(line)
        said = "".join(lines)
        print(said.rstrip(), flush=True)
        assert ended[1] == "0", f"{text}: status {ended[1]}"
        return said


def _with_its_include(phase: Phase) -> None:
    text = SERVER.read_text()
    assert phase.include and text.count(HERE) == 1
    SERVER.write_text(text.replace(HERE, f"{HERE}    {phase.include}\n"))


def _without(phase: Phase) -> None:
    text = SERVER.read_text()
    SERVER.write_text(text.replace(f"    {phase.include}\n", ""))


def follow(admin: Admin, phase: Phase) -> None:
    print(f"== {phase.title}", flush=True)
    if phase.include:  # the commands behind it are those that look at it
        behind = next(i for i, one in enumerate(phase.do) if one.text.startswith("nginx -t"))
        admin.does(phase.do[:behind])
        _with_its_include(phase)
        admin.does(phase.do[behind:])
    else:
        admin.does(phase.do)
    admin.does(phase.check)


def go_back(admin: Admin, phase: Phase) -> None:
    print(f"== back: {phase.title}", flush=True)
    if phase.include:
        _without(phase)
    admin.does(phase.way_back)


def used(here: Site, admin: Admin) -> None:
    """Two users: a desktop of the one, which the other does not find; over a restart."""

    def client(user: str) -> httpx.Client:
        login = {"Authorization": f"Bearer {here.token(user)}"}
        return httpx.Client(
            base_url=f"https://{NAME}", headers=login, verify=str(AUTHORITY), timeout=PATIENCE
        )

    with client("alice") as alice, client("bob") as bob:
        made = alice.post(SESSIONS, json={"hours": 1})
        assert made.status_code == 201, made.text
        one = f"{SESSIONS}/{made.json()['session_id']}"
        wait_for(lambda: _runs(alice.get(one).json()), interval=0.1)
        assert alice.get(f"{made.json()['web_url']}desktop/").status_code == 200
        for path in (one, f"{made.json()['web_url']}desktop/", f"{one}/logs"):
            assert bob.get(path).status_code == 404, path
        assert bob.get(SESSIONS).json() == {"sessions": []}
        before = AUDIT.read_text()
        assert '"action": "create"' in before and AUDIT.stat().st_mode & 0o777 == 0o600
        admin.says("logrotate --force /etc/logrotate.d/moonlight-hpc")
        assert alice.delete(f"{SESSIONS}/none").status_code == 404
        wait_for(lambda: AUDIT.exists() and '"action": "stop"' in AUDIT.read_text())
        assert AUDIT.with_name("audit.log.1").read_text() == before
        assert AUDIT.stat().st_mode & 0o777 == 0o600
        admin.says("systemctl restart moonlight-hpc")
        wait_for(lambda: alice.get(one).status_code == 200)
        assert alice.get(one).json()["status"] == "running"


def _runs(session: dict[str, object]) -> bool:
    assert not session["ended_at"], session
    return session["status"] == "running"


def added() -> set[str]:
    """Files and directories that were not there, but for those that others keep."""
    paths = (path.relative_to(WRITTEN) for path in WRITTEN.rglob("*"))
    new = {f"/{path}" for path in paths if not os.path.lexists(BEFORE / path)}
    return {path for path in new if not _NOT_OURS.match(path)}


def state(here: Site) -> dict[str, object]:
    """What there is of what the document changes."""
    names = ("passwd", "group", "shadow", "redis/users.acl", "nginx/sites-enabled/portal")
    with here.redis() as client:
        keys = {key: client.get(key) for key in client.keys("*")}
    return {
        "keys": keys,
        "QoS": here.qos(),
        "accounts": here.cluster.sacctmgr("show", "assoc", "format=account,user,qos"),
        **{name: sorted(Path("/etc", name).read_text().splitlines()) for name in names},
    }


def processes() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return {words for words in found if "moonlight" in words and "tests.deployment" not in words}


def main() -> None:
    shutil.copy(Path(__file__).with_name("systemctl"), "/usr/local/sbin/systemctl")
    with site() as here:
        admin, todo = Admin(), phases()
        before, files = state(here), added()
        assert before["keys"] == FOREIGN
        # What the auth service gives its administrator, where he is then.
        secret = Path(sys.prefix, "share/moonlight-hpc/secret-of-the-auth-service")
        secret.write_text("s" * 40)
        for phase in todo:
            follow(admin, phase)
        secret.unlink()
        assert not admin.left, f"no such lines in the document: {admin.left}"
        used(here, admin)
        for phase in reversed(todo):
            go_back(admin, phase)
        wait_for(lambda: not processes())
        assert state(here) == before
        assert added() <= files, sorted(added() - files)
        answer = run("curl", "-s", f"https://{NAME}{SESSIONS}")
        assert answer == "the site's own"
        assert set(USERS) <= set(os.listdir("/home"))
    print("followed, and all the way back")


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        journal = Path("/run/journal")
        print(
            journal.read_text("utf-8", "replace") if journal.exists() else "no service", flush=True
        )
        raise
