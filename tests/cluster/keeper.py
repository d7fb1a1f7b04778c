"""Keeps one daemon of the test cluster: starts it, reaps for it, and ends all it left behind.

Run as a program by ``daemon.py``; stdlib only, imports nothing of this package.

Why a process of its own. A Slurm job does not descend from whoever started the cluster: slurmd
forks slurmstepd, which daemonises, and a job may daemonise again. The keeper is a *child subreaper*
(prctl(2), PR_SET_CHILD_SUBREAPER): every orphan below it becomes its child, so "all that this
daemon ever started" is simply "all descendants of the keeper". Its standard input is a pipe held
by the owner; the pipe closes however the owner ends, SIGKILL included, and then the keeper ends
everything. No name is ever matched, so nothing else on the machine can be hit.

Protocol, on standard output: one JSON line ``{"pid": …, "start": …}`` once the daemon runs, or
``{"error": "…"}``.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import grp
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
MS_REC = 0x4000
MS_SLAVE = 1 << 19
CGROUP_ROOT = Path("/sys/fs/cgroup")

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise the C library's error of a call that returned non-zero."""
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command name; [0] state, [1] parent, [19] start."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def descendants(root: int) -> list[int]:
    """All living processes below `root`, which is not among them."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                fields = stat_fields(int(entry))
                if fields[0] != "Z":
                    children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


class Cgroups:
    """A private cgroup (v1) per controller, seen by the daemon as the root of the hierarchy.

    slurmd always uses the path /slurm_<nodename>, so two clusters with a node `n1` would share
    one. In a cgroup namespace whose root is our private cgroup they cannot. The mounts are made
    in a private mount namespace: they are gone when its last process is, and there is nothing
    to unmount.
    """

    def __init__(self, name: str, controllers: list[str], mountpoint: str) -> None:
        self.paths = {each: CGROUP_ROOT / each / name for each in controllers}
        self.mountpoint = Path(mountpoint)

    def enter(self) -> None:
        for path in self.paths.values():
            path.mkdir(parents=True, exist_ok=True)
            self.move(path)
        checked(libc.unshare(CLONE_NEWCGROUP | CLONE_NEWNS), "unshare of cgroup and mounts")
        # Slave: what the machine mounts later is seen here, what is mounted here stays here.
        checked(libc.mount(b"none", b"/", None, MS_REC | MS_SLAVE, None), "mount --make-rslave /")
        for controller in self.paths:
            target = self.mountpoint / controller
            checked(
                libc.mount(b"cgroup", bytes(target), b"cgroup", 0, controller.encode()),
                f"mount of cgroup {controller} on {target}",
            )

    def move(self, path: Path) -> None:
        (path / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def thaw(self) -> None:
        """SIGKILL does nothing to a task that the freezer holds, and Slurm may have frozen some."""
        if "freezer" in self.paths:
            for state in self.paths["freezer"].rglob("freezer.state"):
                with contextlib.suppress(OSError):
                    state.write_text("THAWED", encoding="ascii")

    def remove(self) -> None:
        for controller, path in self.paths.items():
            with contextlib.suppress(OSError):
                self.move(CGROUP_ROOT / controller)
                # A slurmd started anew for the same node shares it, and may be making folders.
                if (path / "cgroup.procs").read_text(encoding="ascii"):
                    continue
            for folder, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # shared by the nodes: the last one succeeds


class Keeper:
    """One daemon, its orphans, and the end of both."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.cgroups: Cgroups | None = None
        self.main: int | None = None
        self.stopping = False
        self.wake, wake_writer = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_writer, False)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.on_term)

    def on_term(self, *_: object) -> None:
        self.stopping = True

    def start(self) -> None:
        checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl child subreaper")
        if self.options.cgroup:
            controllers = self.options.controllers.split(",")
            self.cgroups = Cgroups(self.options.cgroup, controllers, self.options.cgroup_mount)
            self.cgroups.enter()
        account: dict[str, object] = {}
        if self.options.user:
            entry = pwd.getpwnam(self.options.user)
            groups = [each.gr_gid for each in grp.getgrall() if entry.pw_name in each.gr_mem]
            account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
        with open(self.options.log, "ab") as log:
            process = subprocess.Popen(
                self.options.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Runs after the change of user, which would have cleared it (prctl(2)).
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
                **account,  # type: ignore[call-overload]
            )
        self.main = process.pid
        # Not Popen.wait(): the loop below reaps every child, this one included.
        process.returncode = 0
        print(json.dumps({"pid": process.pid, "start": stat_fields(process.pid)[19]}), flush=True)

    def reap(self) -> bool:
        """Collect ended children; False when there are none left, living or ended."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.main:
                self.main = None

    def run(self) -> None:
        """Wait for the owner's end, or for the daemon's and all its children's."""
        while self.reap() and not self.stopping:
            ready, _, _ = select.select([sys.stdin.fileno(), self.wake], [], [])
            if self.wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wake, 4096)
            if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 4096):
                return

    def end(self) -> None:
        """End what still runs: first the daemon, kindly, then everything below, at once."""
        if self.main is not None:
            for number in (signal.SIGTERM, signal.SIGCONT):  # in case it was stopped
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.main, number)
        deadline = time.monotonic() + self.options.grace
        while self.reap() and self.main is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        deadline = time.monotonic() + 10
        while self.reap() and time.monotonic() < deadline:
            if self.cgroups:
                self.cgroups.thaw()
            for pid in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.cgroups:
            self.cgroups.remove()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user", help="run the daemon as this user")
    parser.add_argument("--log", required=True, help="file for the daemon's output")
    parser.add_argument("--grace", type=float, default=20.0, help="seconds from TERM to KILL")
    parser.add_argument("--cgroup", help="name of a private cgroup, below each controller")
    parser.add_argument("--controllers", default="freezer")
    parser.add_argument("--cgroup-mount", help="where the daemon finds the controllers")
    parser.add_argument("argv", nargs="+")
    keeper = Keeper(parser.parse_args())
    try:
        keeper.start()
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        if keeper.cgroups:
            keeper.cgroups.remove()
        return 1
    try:
        keeper.run()
    finally:
        keeper.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
