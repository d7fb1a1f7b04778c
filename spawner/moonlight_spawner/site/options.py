"""The site's settings: one place for everything an admin may want different.

:mod:`moonlight_spawner.site.settings` reads them.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence

from traitlets import (
    Bool,
    Dict,
    Enum,
    Float,
    Int,
    List,
    TraitError,
    Unicode,
    default,
    validate,
)

from .desktop_options import DesktopSettings
from .idle_options import IdleSettings
from .machine import gpu_count, python, scratch, scratch_or_home
from .portal_options import PortalSettings
from .redis_options import RedisSettings
from .side_options import SideSettings

_LAYOUTS = "us gb de fr es it pt br ch be nl dk no se fi pl cz hu tr gr ru ua il jp kr cn tw latam"


class MoonlightSite(DesktopSettings, IdleSettings, SideSettings, PortalSettings, RedisSettings):
    """Settings of Moonlight HPC at this site.

    ``unknown_settings``: a sentence for each name in the settings that is none of a setting.
    """

    unknown_settings: Sequence[str] = ()

    scheduler = Enum(
        ["auto", "slurm", "local"],
        "auto",
        help="What runs sessions. `auto`: Slurm where `sbatch` is found and in its jobs, else this "
        "machine itself.",
    ).tag(config=True)
    partition = Unicode(
        "viz", help="Slurm partition of the sessions; empty: the cluster's default partition."
    ).tag(config=True)
    qos = Unicode(
        "moonlight", help="Slurm QoS of the sessions; empty: the user's default QoS."
    ).tag(config=True)
    account = Unicode("", help="Slurm account; empty: the user's default account.").tag(config=True)
    sbatch_options = List(
        Unicode(), help="More options for sbatch, one list item each, e.g. --constraint=viz."
    ).tag(config=True)
    slurm_bin = Unicode("", help="Directory of Slurm's commands; empty: found on PATH.").tag(
        config=True
    )
    job_prologue = Unicode(
        "", help="Shell lines run in the job before the agent, e.g. `module load apptainer`."
    ).tag(config=True)
    job_environment = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Environment variables set in the job, and so in the desktop; in images too. `HOME`, if "
        "it is a directory of the user's, is the home of the node's desktop.",
    ).tag(config=True)
    agent_command = List(
        Unicode(), help="How the agent is started on a node; it must exist there."
    ).tag(config=True)
    local_sessions = Int(
        2, min=1, help="Without a batch system: sessions of a user that run at once; others wait."
    ).tag(config=True)

    hours = Float(8.0, help="Default length of a session.").tag(config=True)
    cpus = Int(4, min=1, help="Default number of CPUs.").tag(config=True)
    memory_gb = Float(8.0, help="Default memory, GiB.").tag(config=True)
    gpus = Int(min=0, help="Default number of GPUs (1; without a batch system: 1 if there is one).")
    gpus.tag(config=True)
    resolution = Unicode(
        "1920x1080", help="Default resolution; the first of a screen that follows its window."
    ).tag(config=True)
    fps = Int(60, help="Default frames per second.").tag(config=True)
    bitrate_kbps = Int(
        20000, min=500, max=500000, help="Default of the highest bitrate of the picture, kbit/s."
    ).tag(config=True)
    keyboard = Unicode("us", help="Default keyboard layout, as setxkbmap names it.").tag(
        config=True
    )
    keyboards = List(
        Unicode(),
        _LAYOUTS.split(),
        help="Keyboard layouts that a user may choose, with a variant in brackets: de(nodeadkeys).",
    ).tag(config=True)

    max_hours = Float(8.0, min=0.01, help="Longest session a user may ask for.").tag(config=True)
    max_cpus = Int(16, min=1, help="Most CPUs a user may ask for.").tag(config=True)
    max_memory_gb = Float(64.0, min=0.1, help="Most memory a user may ask for, GiB.").tag(
        config=True
    )
    max_gpus = Int(
        min=0, help="Most GPUs a user may ask for (2; without a batch system: those here)."
    )
    max_gpus.tag(config=True)
    max_width = Int(3840, min=640, help="Widest screen, pixels.").tag(config=True)
    max_height = Int(2160, min=480, help="Highest screen, pixels.").tag(config=True)
    max_fps = Int(120, min=10, help="Most frames per second.").tag(config=True)
    max_bitrate_kbps = Int(
        50000, min=500, max=500000, help="Highest bitrate a user may ask for, kbit/s."
    ).tag(config=True)
    begin_days = Float(
        14.0,
        min=0,
        max=366,
        help="How many days ahead a user may have a session begin (`--begin`); 0: at once only. Slurm's.",
    ).tag(config=True)
    mail = Bool(
        False,
        help="Whether a user may have Slurm send mail when his session begins: its `MailProg` works here.",
    ).tag(config=True)
    mail_domain = Unicode(
        "",
        help="Such mail goes to USER@this; empty: to whom Slurm takes for the user (`MailDomain`). A user "
        "may name another address, which all users of the cluster can read in his job.",
    ).tag(config=True)
    max_sessions = Int(4, min=1, help="Live sessions a user may have.").tag(config=True)

    sessions_dir = Unicode(
        help="Where sessions keep their records; seen by the nodes too. Default: "
        "/scratch/sunshine_sessions where it exists, else ~/.local/share/moonlight-hpc/sessions."
    ).tag(config=True)
    logs_dir = Unicode(
        help="Where sessions log. Default: /scratch/sunshine_logs where it exists, else with the "
        "session's records."
    ).tag(config=True)
    display_min = Int(10, min=0, help="First X display; :1 to :9 are left to VNC.").tag(config=True)
    display_max = Int(99, min=0, help="Last X display.").tag(config=True)
    port_min = Int(
        47989,
        min=1024,
        max=65535,
        help="First port of the range of which each session on a node claims a block of 32: 47989 "
        "to 48020 is room for one session.",
    ).tag(config=True)
    port_max = Int(48989, min=1024, max=65535, help="Last port of that range.").tag(config=True)
    gateway_address = Unicode(
        help="Address the gateway binds on the node, or a network like 10.1.0.0/16 or fd00:10::/64 in "
        "which the node has one; `::` for all of IPv4 and IPv6. Default: all of IPv4; without a batch "
        "system 127.0.0.1."
    ).tag(config=True)
    gateway_plain_http = Bool(
        False,
        help="Let the gateway speak HTTP besides HTTPS. The app for Open OnDemand sets it in its own jobs "
        "where its `node_proxy` is `node` or `rnode`.",
    ).tag(config=True)

    launch_where = Enum(
        ["auto", "here", "job"],
        "auto",
        help="For a Jupyter server that runs in a job itself: whether the form begins with a desktop "
        "in this job (`here`) or in a new one (`job`). `auto`: here, unless desktops get a GPU and "
        "this job has none.",
    ).tag(config=True)
    cache_seconds = Float(3.0, min=0.1, help="How long one answer of squeue serves.").tag(
        config=True
    )
    answer_seconds = Float(
        2.0,
        min=0.1,
        help="How long a user waits for the batch system before the last state is shown.",
    ).tag(config=True)
    retention_days = Float(7.0, min=0, help="How long ended sessions stay listed.").tag(config=True)

    @default("agent_command")
    def _agent_command(self) -> list[str]:
        return [*python("moonlight_spawner"), "agent"]

    @default("gpus")
    def _gpus(self) -> int:
        return 1 if self.batch_system == "slurm" else min(1, gpu_count())

    @default("max_gpus")
    def _max_gpus(self) -> int:
        return 2 if self.batch_system == "slurm" else gpu_count()

    @default("sessions_dir")
    def _sessions_dir(self) -> str:
        return scratch_or_home("sessions")

    @default("logs_dir")
    def _logs_dir(self) -> str:
        return scratch("logs")

    @default("gateway_address")
    def _gateway_address(self) -> str:
        return "0.0.0.0" if self.batch_system == "slurm" else "127.0.0.1"

    @validate("sessions_dir", "logs_dir", "sandboxes_dir", "images_dir")
    def _absolute(self, proposal: Mapping[str, str]) -> str:
        path = os.path.expanduser(proposal["value"])
        if path and not os.path.isabs(path):
            raise TraitError(f"{proposal['trait'].name} is {path!r}, but must be an absolute path.")  # type: ignore[attr-defined]
        return path

    @validate(
        *("hours", "memory_gb", "max_hours", "max_memory_gb", "begin_days"),
        *("cache_seconds", "answer_seconds", "retention_days", "user_side_seconds"),
    )
    def _finite(self, proposal: Mapping[str, float]) -> float:
        if not math.isfinite(value := proposal["value"]):
            raise TraitError(f"{proposal['trait'].name} is {value}, but must be a number.")  # type: ignore[attr-defined]
        return value

    @validate("mail_domain")
    def _domain(self, proposal: Mapping[str, str]) -> str:
        if proposal["value"] and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", proposal["value"]):
            raise TraitError(f"mail_domain is {proposal['value']!r}, but must look like site.org.")
        return proposal["value"]

    @validate("keyboard")
    def _layout(self, proposal: Mapping[str, str]) -> str:
        return _checked_layout("keyboard", proposal["value"])

    @validate("keyboards")
    def _layouts(self, proposal: Mapping[str, list[str]]) -> list[str]:
        return [_checked_layout("keyboards", value) for value in proposal["value"]]

    @validate("sbatch_options")
    def _no_other_cluster(self, proposal: Mapping[str, list[str]]) -> list[str]:
        for option in proposal["value"]:
            if re.match(r"(--clusters?\b|-M)", option):
                raise TraitError(
                    f"sbatch_options has {option!r}, but jobs can only be asked about in the cluster "
                    "of SLURM_CONF; set that for the servers instead."
                )
        return proposal["value"]

    @validate("resolution")
    def _size(self, proposal: Mapping[str, str]) -> str:
        if not re.fullmatch("[1-9][0-9]{2,4}x[1-9][0-9]{2,4}", proposal["value"]):
            raise TraitError(f"resolution is {proposal['value']!r}, but must look like 1920x1080.")
        return proposal["value"]

    @property
    def batch_system(self) -> str:
        """``slurm`` or ``local``, with ``auto`` decided."""
        if self.scheduler != "auto":
            return str(self.scheduler)
        # Not every node has the commands; but its jobs are Slurm's all the same.
        in_job = "SLURM_JOB_ID" in os.environ and "SLURMD_NODENAME" in os.environ
        return "slurm" if in_job or self.slurm_command("sbatch") else "local"

    def slurm_command(self, name: str) -> str | None:
        """Path of one of Slurm's commands, None if there is none."""
        return shutil.which(name, path=self.slurm_bin or None)


def _checked_layout(name: str, value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,8}(\([A-Za-z0-9_-]{1,32}\))?", value):
        raise TraitError(f"{name} has {value!r}, but a layout looks like us or de(nodeadkeys).")
    return value
