"""The environments of a session, made of its job's.

A job's environment is a login's, with what the site's ``job_environment`` and ``job_prologue`` and
the user's modules set: all of it is somebody's word, and counts. Three kinds of programs get three
parts of it:

* the session's own **parts** (X server, sound, streaming host, Apptainer): what they need by name;
* the **desktop** and what it starts: everything but what is not its own (another session's display,
  another job's step, our settings) and what breaks it;
* **shells** in the desktop, so every terminal: also what would break the desktop, such as a module's
  LD_LIBRARY_PATH, and PATH as the job had it (:mod:`.shell`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..model.account import Account, account

#: Under this name the job's script keeps what it takes from the agent's own Python (job.sh.j2).
KEPT = "MOONLIGHT_KEPT_"

_SYSTEM_DATA = ["/usr/local/share", "/usr/share"]
_SYSTEM_PATH = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/dev", "/proc", "/sys")

# What the session's own parts need: the batch system, the GPU, language, time zone, proxies.
_PARTS = re.compile(
    r"SLURM_\w+|SLURMD_\w+|CUDA_\w+|NVIDIA_\w+|GPU_DEVICE_ORDINAL|ROCR_VISIBLE_DEVICES|"
    r"LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|LM_LICENSE_FILE|\w+_LICENSE_FILE|"
    r"(http|https|ftp|no|all)_proxy|XDG_DATA_DIRS|"
    r"XDG_CACHE_HOME"  # Mesa, also in the X server, keeps shaders there, else in the account's home
)

# Slurm's words that are not a login's: `--export=NONE` of our own sbatch would hold for every srun of
# the user, too (sbatch(1)); those of a job step mean that step alone; a token is a password.
_SLURM = (
    r"SLURM_EXPORT_ENV|SLURM_GET_USER_ENV|SLURM_JWT|SLURM_STEP\w*|SLURM_CPU_BIND\w*|SLURM_MEM_BIND\w*|"
    r"SLURM_SRUN_\w+|SLURM_LAUNCH_NODE_IPADDR|SLURM_UMASK|SLURM_PTY_\w+|SBATCH_\w+|SALLOC_\w+|"
)
# Of another desktop, login, terminal or server.
_ANOTHERS = (
    r"DISPLAY|XAUTHORITY|WAYLAND_\w+|XDG_RUNTIME_DIR|XDG_SESSION_\w+|XDG_SEAT\w*|XDG_VTNR|"
    r"XDG_CURRENT_DESKTOP|XDG_MENU_PREFIX|XDG_CONFIG_DIRS|XDG_ACTIVATION_TOKEN|DESKTOP_SESSION|"
    r"GDMSESSION|GNOME_\w+|KDE_\w+|DBUS_\w+|SESSION_MANAGER|ICEAUTHORITY|WINDOWID|WINDOWPATH|"
    r"DESKTOP_STARTUP_ID|PULSE_\w+|SSH_(AUTH_SOCK|AGENT_PID|CONNECTION|CLIENT|TTY|ASKPASS)|"
    r"GPG_(AGENT_INFO|TTY)|TERM|COLORTERM|TERMCAP|TERM_PROGRAM\w*|LINES|COLUMNS|STY|TMUX\w*|"
    r"INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET|LISTEN_\w+|JUPYTERHUB_\w+|JUPYTER_TOKEN|JPY_\w+|"
)
# Of the shell that ran the job's script.
_SCRIPTS = r"_|PWD|OLDPWD|SHLVL|IFS|SHELLOPTS|BASHOPTS|PS4|ENVIRONMENT|MOONLIGHT_\w*"
_NOT_THE_DESKTOPS = re.compile(_SLURM + _ANOTHERS + _SCRIPTS)

# By these a module, conda or the user exchanges libraries, plug-ins or a start-up file of programs:
# right in a shell, where the programs are that it was meant for, and the end of many a desktop.
_HELD_BACK = re.compile(
    r"LD_\w+|GCONV_PATH|LOCPATH|GTK_PATH|GTK\d?_MODULES|GTK_(EXE|DATA)_PREFIX|GTK_IM_MODULE_FILE|"
    r"GTK2?_RC_FILES|GDK_\w+|GIO_\w+|GI_TYPELIB_PATH|GSETTINGS_\w+|GST_\w+|GCONF_\w+|QT_\w*PATH|"
    r"QT_QPA_\w+|QT_XKB_\w+|QML2?_\w+|PANGO_\w+|FONTCONFIG_\w+|XKB_\w+|XLOCALEDIR|LIBGL_DRIVERS_PATH|"
    r"PYTHON\w*|PERL5?LIB|PERL5OPT|BASH_ENV|ENV|CONDA_\w+|_CE_\w+|VIRTUAL_ENV\w*"
)
PATH_LISTS = ("PATH", "MANPATH", "XDG_DATA_DIRS")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def job_environment() -> dict[str, str]:
    """This job's environment, with what its script took from the agent's own Python."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(KEPT)}
    return env | {k.removeprefix(KEPT): v for k, v in os.environ.items() if k.startswith(KEPT)}


def parts_environment(job: Mapping[str, str]) -> dict[str, str]:
    """The environment of the session's own parts.

    Nothing secret: a proxy's address with a password in it stays out.
    """
    env = {
        k: v
        for k, v in job.items()
        if _PARTS.fullmatch(k) and not _NOT_THE_DESKTOPS.fullmatch(k) and not has_password(k, v)
    }
    return _for_programs_of_the_system(env, job)


def desktop_environment(job: Mapping[str, str]) -> dict[str, str]:
    """The environment of the desktop and of what it starts.

    In path lists the system's directories come first, and conda's and those below the home leave
    them: a ``dbus-daemon`` found there first breaks desktops.
    """
    env = {
        k: v
        for k, v in job.items()
        if not _NOT_THE_DESKTOPS.fullmatch(k) and not _HELD_BACK.fullmatch(k)
    }
    return _for_programs_of_the_system(env, job)


def held_back(job: Mapping[str, str]) -> dict[str, str]:
    """What shells in the desktop get besides, and PATH as the job had it."""
    held = {k: v for k, v in job.items() if _HELD_BACK.fullmatch(k) and _NAME.fullmatch(k)}
    path = _entries(job.get("PATH", ""))
    full = os.pathsep.join([*path, *(d for d in _SYSTEM_PATH if d not in path)])
    if full != desktop_environment(job)["PATH"]:
        held["PATH"] = full
    return held


def find(program: str, env: Mapping[str, str] | None = None) -> str | None:
    """A program that the site chooses, such as Apptainer, in the order of the job's PATH; else None.

    Conda's directories and the user's own come last: they are good enough for a program that is
    asked for by name.
    """
    job = os.environ if env is None else env
    return shutil.which(program, path=search_path(job)) or shutil.which(
        program, path=job.get("PATH")
    )


def find_in_system(program: str, env: Mapping[str, str] | None = None) -> str | None:
    """A program of the desktop's own: the system's, another only where the system has none."""
    return shutil.which(program, path=os.pathsep.join(_SYSTEM_PATH)) or find(program, env)


def search_path(job: Mapping[str, str]) -> str:
    """The job's PATH without conda's directories and the user's own, and the system's behind it."""
    path = _safe(_entries(job.get("PATH", "")), account().home)
    return os.pathsep.join([*path, *(d for d in _SYSTEM_PATH if d not in path)])


def origins(text: str, job: Mapping[str, str]) -> str:
    """Which programs and libraries in a failure's words are a module's; a sentence, or nothing."""
    said = []
    for path in dict.fromkeys(re.findall(r"(?<![\w/.-])/[^\s:;,'\"()]+", text)):
        if name := _list_with(os.path.dirname(path), job):
            said.append(f"{path} comes from {name} of the job (a module, or job_prologue).")
    for library in dict.fromkeys(re.findall(r"([\w.+-]+\.so[\w.]*): cannot open shared", text)):
        for directory in _entries(job.get("LD_LIBRARY_PATH", "")):
            if os.path.exists(os.path.join(directory, library)):
                said.append(
                    f"{library} is in {directory}, which is only in LD_LIBRARY_PATH of the job: the "
                    "desktop's own programs take the system's libraries. Install it on the node."
                )
                break
    return " ".join(said)


def _list_with(directory: str, job: Mapping[str, str]) -> str | None:
    """The variable of the job by which a directory that is not the system's is searched."""
    if any(directory == d or directory.startswith(f"{d}/") for d in _SYSTEM):
        return None
    for name in ("LD_LIBRARY_PATH", "LD_PRELOAD", "PATH"):
        entries = _entries(job.get(name, "").replace(" ", os.pathsep))
        if any(directory.rstrip("/") in (e.rstrip("/"), os.path.dirname(e)) for e in entries):
            return name
    return None


def _for_programs_of_the_system(env: dict[str, str], job: Mapping[str, str]) -> dict[str, str]:
    user = account()
    for name in PATH_LISTS:
        if name in env:
            env[name] = os.pathsep.join(_safe(_entries(env[name]), user.home))
            if not env[name]:
                del env[name]
    own = _safe(_entries(job.get("PATH", "")), user.home)
    env["PATH"] = os.pathsep.join(dict.fromkeys([*_SYSTEM_PATH, *own]))
    if "XDG_DATA_DIRS" in env:  # a module's own: without the system's, GTK finds no schemas
        found = _entries(env["XDG_DATA_DIRS"])
        env["XDG_DATA_DIRS"] = os.pathsep.join(dict.fromkeys([*_SYSTEM_DATA, *found]))
    env.setdefault("LANG", "C.UTF-8")
    return env | {
        "HOME": _home(job, user),
        "USER": user.login,
        "LOGNAME": user.login,
        "SHELL": user.shell,
    }


def _home(job: Mapping[str, str], user: Account) -> str:
    """The account's, or a directory of the user's own that the job names: a site's word counts.

    What `su` or `sudo` has left of somebody else is neither.
    """
    named = job.get("HOME", "")
    try:
        own = os.path.isabs(named) and os.stat(named).st_uid == os.geteuid()
    except OSError:
        own = False
    return named if own and os.path.isdir(named) else user.home


def _entries(paths: str) -> list[str]:
    return [path for path in paths.split(os.pathsep) if path]


def _safe(paths: Iterable[str], home: str) -> list[str]:
    # A home may be known by two paths: /home/u may be a link to /lustre/u.
    homes = {home.rstrip("/"), os.path.realpath(home).rstrip("/")} - {""}
    return [path for path in paths if not _unsafe(path, homes)]


def _unsafe(path: str, homes: set[str]) -> bool:
    real = os.path.realpath(path)
    if any(f"{p}/".startswith(f"{home}/") for p in (path, real) for home in homes):
        return True
    # A conda environment has this directory at its root; bin, lib and share/man lie below it.
    parents = [Path(real), *Path(real).parents][:3]
    return any((parent / "conda-meta").is_dir() for parent in parents)


def has_password(name: str, value: str) -> bool:
    """Whether it is a proxy's address with a password in it."""
    return name.lower().endswith("_proxy") and "@" in value
