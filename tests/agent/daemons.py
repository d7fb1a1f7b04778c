"""``python -m tests.agent.daemons UID GID HOME``, as root in a process name space of its own.

A process of the user starts what hides, holds on or multiplies, and ends everything below itself.
Root sees all of it: it says what was there before and what is left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from moonlight_spawner.processes.kernel import become_subreaper
from moonlight_spawner.processes.offspring import end_descendants

from tests.support.waiting import wait_for

_CHAIN = (
    "import os, time\nwhile True:\n    if os.fork():\n        os._exit(0)\n    time.sleep(0.001)\n"
)
_STARTED = {
    "ssh-agent": "ssh-agent -a {home}/ssh.socket",
    "gpg-agent": "gpg-agent --homedir {home} --daemon",
    "forked twice": "(setsid sleep 7432 &)",
    "deaf": "setsid sh -c 'trap : TERM HUP; while :; do sleep 0.1; done' &",
    "stopped": "setsid sh -c 'kill -STOP $$; exec sleep 7433' &",
    "forks when it is told to end": "setsid sh -c 'trap \"(setsid sleep 7434 &)\" TERM; sleep 60; :' &",
    "from one to the next": "setsid {python} -c '{chain}' &",
}


def _of_user(uid: int) -> dict[int, str]:
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            lines = dict(
                line.split(":", 1) for line in (process / "status").read_text().splitlines()
            )
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(lines["Uid"].split()[0]) == uid:
            found[int(process.name)] = f"{lines['Name'].strip()} {lines['State'].strip()}"
    return found


def _all_there(found: dict[int, str]) -> bool:
    names = " ".join(found.values())
    wanted = ("ssh-agent", "gpg-agent", "sleep", "python", "T (stopped)")
    return all(name in names for name in wanted) and len(found) > len(_STARTED)


def _user_process(uid: int, gid: int, home: str, go: int, told: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    become_subreaper()
    for command in _STARTED.values():
        shell = command.format(home=home, python=sys.executable, chain=_CHAIN)
        subprocess.run(["sh", "-c", shell], check=True, stdout=subprocess.DEVNULL, cwd="/")
    os.read(go, 1)
    end_descendants(0.3)
    os.write(told, b"done")
    os.read(go, 1)


def main(uid: int, gid: int, home: str) -> None:
    go, start = os.pipe()
    done, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        _user_process(uid, gid, home, go, told)
        os._exit(0)
    before = {}

    def there() -> bool:
        before.clear()
        before.update(_of_user(uid))
        before.pop(pid, None)
        return _all_there(before)

    wait_for(there)
    os.write(start, b"x")
    assert os.read(done, 4) == b"done"
    left = _of_user(uid)
    left.pop(pid)
    print(json.dumps({"before": sorted(before.values()), "left": sorted(left.values())}))
    os.write(start, b"x")
    os.waitpid(pid, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
