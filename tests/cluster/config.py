"""The settings of a test cluster and the files made from them."""

from __future__ import annotations

import hashlib
import os
import pwd
import socket
import stat
import string
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.cluster.errors import ClusterError

TEMPLATES = Path(__file__).with_name("templates")
NVIDIA_MAJOR = 195
CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Settings:
    """What a test may want different. Times in seconds, memory in MB.

    The short times are for quick tests; a site's usual values are KillWait 30, SlurmdTimeout 300,
    MinJobAge 300.
    """

    nodes: tuple[str, ...] = ("n1", "n2")
    cpus: int = 16
    memory: int = 16000
    gpus: int = 3
    kill_wait: int = 5
    slurmd_timeout: int = 10
    min_job_age: int = 300
    sched_interval: int = 5
    message_timeout: int = 10
    enforce_part_limits: str = "ALL"
    proctrack: str | None = None  # "cgroup" or "linuxproc"; None: cgroup where it can be had
    constrain_devices: bool = False  # a job sees only its own GPUs; needs cgroup
    qos_options: tuple[str, ...] = ()  # more options for deploy/slurm/create-qos
    extra: str = ""  # more lines for slurm.conf

    def process_tracking(self) -> str:
        """The proctrack plugin to use."""
        return self.proctrack or ("cgroup" if freezer_usable() else "linuxproc")

    def controllers(self) -> list[str]:
        """The cgroup v1 controllers that slurmd needs."""
        if self.process_tracking() != "cgroup":
            return []
        return ["freezer", "devices"] if self.constrain_devices else ["freezer"]


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one cluster."""

    mariadb: int
    slurmdbd: int
    slurmctld: int
    slurmd: tuple[int, ...]


def freezer_usable() -> bool:
    """Whether cgroup v1's freezer is there and may be written."""
    procs = CGROUP_ROOT / "freezer" / "cgroup.procs"
    return os.geteuid() == 0 and os.access(procs, os.W_OK)


class Layout:
    """The private directory: who owns what in it."""

    FOLDERS: ClassVar = {
        # name: (owner, mode)
        "run": ("root", 0o755),
        "run/munge": ("munge", 0o755),
        "munge": ("munge", 0o700),
        "mariadb": ("mysql", 0o700),
        "state": ("slurm", 0o700),
        "spool": ("root", 0o755),
        "log": ("root", 0o1777),  # each daemon creates its own log as its own user
        "dev": ("root", 0o755),
        "cgroup": ("root", 0o755),
    }

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        # sockaddr_un holds 108 bytes; the munge socket is the longest path of ours.
        if len(str(self.munge_socket)) > 100:
            raise ClusterError(
                f"{self.directory} is too long for a Unix socket in it: use a shorter directory, "
                "such as one below /var/tmp"
            )

    @property
    def cgroup(self) -> str:
        """Name of the cluster's private cgroup, the same for the same directory."""
        digest = hashlib.sha256(bytes(self.directory)).hexdigest()
        return f"moonlight-test-{digest[:8]}"

    @property
    def munge_socket(self) -> Path:
        return self.directory / "run" / "munge" / "socket"

    @property
    def slurm_conf(self) -> Path:
        return self.directory / "etc" / "slurm.conf"

    @property
    def slurmdbd_conf(self) -> Path:
        return self.directory / "etc" / "slurmdbd.conf"

    def log(self, name: str) -> Path:
        return self.directory / "log" / f"{name}.out"

    def make(self) -> None:
        """Create the folders, after a look whether others can reach them at all."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        for parent in self.directory.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise ClusterError(
                    f"{parent} cannot be entered by the users slurm, munge and mysql: "
                    f"chmod o+x {parent}, or use a directory below /var/tmp"
                )
        (self.directory / "etc").mkdir(exist_ok=True)
        for name, (owner, mode) in self.FOLDERS.items():
            path = self.directory / name
            path.mkdir(exist_ok=True)
            entry = pwd.getpwnam(owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)
            path.chmod(mode)

    def make_gpu_devices(self, settings: Settings) -> None:
        """Device files that Slurm takes for GPUs.

        Regular files would not do: Slurm then sets no CUDA_VISIBLE_DEVICES; and no `File=` at all
        leaves the node INVAL (measured, 22.05).
        """
        for node in settings.nodes:
            folder = self.directory / "dev" / node
            folder.mkdir(exist_ok=True)
            for minor in range(settings.gpus):
                device = folder / f"nvidia{minor}"
                if not device.exists():
                    os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(NVIDIA_MAJOR, minor))
                    device.chmod(0o666)


def render(name: str, values: dict[str, object]) -> str:
    """A template of templates/ with its values."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    return string.Template(text).substitute(values)


def write_private(path: Path, text: str, owner: str) -> None:
    """Write a file that only `owner` may read: slurmdbd refuses its configuration otherwise."""
    path.unlink(missing_ok=True)
    entry = pwd.getpwnam(owner)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def write_configuration(
    layout: Layout, settings: Settings, ports: Ports, cluster: str, storage_password: str
) -> None:
    """Write all configuration files of Slurm."""
    hostname = socket.gethostname().partition(".")[0]
    tracking = settings.process_tracking()
    gpu_lines, node_lines = [], []
    for node, port in zip(settings.nodes, ports.slurmd, strict=True):
        gres = ""
        if settings.gpus:
            devices = f"{layout.directory}/dev/{node}/nvidia[0-{settings.gpus - 1}]"
            gpu_lines.append(f"NodeName={node} Name=gpu File={devices}\n")
            gres = f" Gres=gpu:{settings.gpus}"
        node_lines.append(
            f"NodeName={node} NodeHostname={hostname} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={settings.cpus} RealMemory={settings.memory}{gres} State=UNKNOWN"
        )
    values: dict[str, object] = {
        "cluster": cluster,
        "hostname": hostname,
        "directory": layout.directory,
        "munge_socket": layout.munge_socket,
        "slurmctld_port": ports.slurmctld,
        "slurmdbd_port": ports.slurmdbd,
        "mariadb_port": ports.mariadb,
        "storage_password": storage_password,
        "proctrack": tracking,
        "task_plugin": "cgroup" if settings.constrain_devices else "none",
        "constrain_devices": "yes" if settings.constrain_devices else "no",
        "sched_interval": settings.sched_interval,
        "kill_wait": settings.kill_wait,
        "slurmd_timeout": settings.slurmd_timeout,
        "min_job_age": settings.min_job_age,
        "message_timeout": settings.message_timeout,
        "enforce_part_limits": settings.enforce_part_limits,
        "nodes": "\n".join(node_lines),
        "node_names": ",".join(settings.nodes),
        "extra": settings.extra,
    }
    etc = layout.slurm_conf.parent
    (etc / "slurm.conf").write_text(render("slurm.conf", values), encoding="utf-8")
    (etc / "gres.conf").write_text("".join(gpu_lines), encoding="utf-8")
    # Without any process tracking by cgroups too: slurmd loads a cgroup plugin at its start, and
    # the one that it finds by itself on a v2 machine asks systemd for a scope over D-Bus.
    (etc / "cgroup.conf").write_text(render("cgroup.conf", values), encoding="utf-8")
    write_private(layout.slurmdbd_conf, render("slurmdbd.conf", values), "slurm")
