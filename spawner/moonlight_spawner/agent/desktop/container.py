"""Where the session's programs run: on the node itself, or in an Apptainer image.

Every program gets a container of its own from the same image; they meet through the network of
the node and the directories that are bound into each.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...model.files import write_private
from ...processes.environment import PATH_LISTS, find, has_password
from ..node.places import temporary

# By name: Apptainer sets neither in an image, and programs ask them before the user's number.
_USER = ("USER", "LOGNAME")
_LANGUAGE = ("LANG", "LC_")  # LANGUAGE, too
# Every C library that is new enough for Sunshine has it; the user's own an image may lack, and then it
# would be C, in which no file has Korean letters, or a program that ends over it.
_PLAIN = {"LANG": "C.UTF-8"}


class NoApptainer(Exception):
    """The node has no Apptainer. The text says what to do."""


# What an image needs of the session's environment; the rest is the image's own.
PASSED = (
    *(
        "DISPLAY",
        "XAUTHORITY",
        "ICEAUTHORITY",
        "XDG_RUNTIME_DIR",
        "XDG_SESSION_",
        "XDG_CONFIG_DIRS",
    ),
    *("DBUS_", "PULSE_", "TZ"),
    *("SLURM_", "CUDA_", "NVIDIA_", "MOONLIGHT_", "XFCE_", "NO_AT_BRIDGE", "MALLOC_", "VGL_"),
    *("CONFIGURATION_DIRECTORY", "http_proxy", "https_proxy", "no_proxy", "LM_LICENSE_FILE"),
)


@dataclass(frozen=True)
class Node:
    """No image: programs of the node itself."""

    name: str = "node"

    def argv(
        self, command: Sequence[str], env: Mapping[str, str], cwd: str | None = None
    ) -> list[str]:
        return list(command)

    def which(self, program: str, env: Mapping[str, str]) -> str | None:
        """Path of a program that the site chooses, None if there is none."""
        found = find(program)
        return os.path.abspath(found) if found else None


@dataclass(frozen=True)
class Apptainer:
    """Programs of an image.

    ``--contain --cleanenv`` shows the image nothing of the node but what is bound by name, so no
    /dev/uinput either. That is ``--containall`` but for two of its name spaces. With process ids
    of its own every image's session manager has the same one, takes the abstract socket
    ``/tmp/.ICE-unix/<id>`` for itself, and the second desktop on a node does not start. With IPC
    of its own Sunshine cannot share memory with the X server outside, and never sends a picture
    although all looks well (both measured). ``--no-privs`` keeps an image from gaining rights,
    file capabilities of Sunshine included. ``--nv`` only with a GPU: without one it warns and binds
    what is not there. ``--no-eval``, or a shell in the container would expand our variables.

    Parameters
    ----------
    path
        The image file.
    runtime
        The session's private directory on the node (mode 0700).
    home
        The home directory's path, in the image too.
    home_source
        What is shown there, the home itself by default.
    binds
        More directories of the node, as Apptainer's ``--bind`` takes them.
    changes
        Options by which what a user changes in the image is kept; empty: it is read-only.
    passed
        Variables that the site wants in its images, by name.
    unpacked
        A sandbox that is used in the image's place.
    """

    path: str
    runtime: Path
    home: str
    gpu: bool = False
    home_source: str | None = None
    binds: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    unpacked: str | None = None

    @property
    def name(self) -> str:
        return Path(self.path).name

    def changing(self, options: Sequence[str], unpacked: str | None = None) -> Apptainer:
        """The same with changes kept, perhaps in the sandbox ``unpacked``."""
        return replace(self, changes=tuple(options), unpacked=unpacked)

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What of the node is seen in the image: source, and target there."""
        home = (self.home_source or self.home, self.home)
        plain = [(path, path) for path in ("/tmp/.X11-unix", str(self.runtime))]
        return [home, *plain, *map(_source_and_target, self.binds)]

    def argv(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str | None = None,
        language: bool = False,
    ) -> list[str]:
        """The command in the image, in directory ``cwd``: by default that is the home there.

        ``language`` is for who looks whether the image has the user's.

        Raises
        ------
        NoApptainer
        """
        home = f"{self.home_source}:{self.home}" if self.home_source else self.home
        argv = [self.program(env), "exec", "--contain", "--cleanenv", "--no-privs", "--no-eval"]
        argv.append(f"--home={home}")
        # Without it /tmp of an image is as small as apptainer.conf's `sessiondir max size`.
        argv.append(f"--workdir={self._work_directory()}")
        for bind in ["/tmp/.X11-unix", str(self.runtime), *self.binds]:
            argv += ["--bind", bind]
        if cwd:
            argv += ["--pwd", cwd]
        if self.gpu:
            argv.append("--nv")
            if os.path.isdir("/dev/dri"):  # by its devices EGL tells equal GPUs apart
                argv += ["--bind", "/dev/dri"]
        argv += self.changes
        file = self._env_file(env, language)
        return [*argv, "--env-file", str(file), self.unpacked or self.path, *command]

    def program(self, env: Mapping[str, str]) -> str:
        """Path of Apptainer itself.

        Raises
        ------
        NoApptainer
        """
        for name in ("apptainer", "singularity"):
            if found := find(name):
                return found
        raise NoApptainer(
            f"The image {self.path} needs Apptainer, which node {os.uname().nodename} does not "
            "have. An administrator has to install it, or add it by the setting `job_prologue`."
        )

    def which(self, program: str, env: Mapping[str, str]) -> str | None:
        """Programs are looked for in the image when they are started."""
        return program

    def _work_directory(self) -> Path:
        """Where /tmp and /var/tmp of all programs are; it ends with the session."""
        # By its own name: the link to it is not followed everywhere.
        directory = temporary(self.runtime).resolve() / "image"
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory

    def _env_file(self, env: Mapping[str, str], language: bool) -> Path:
        """By file, not by --env: every user of the node can read an argument list.

        Named by its content, because programs that start at the same time have different ones.
        """
        given = {k: v for k, v in env.items() if self._passes(k, v)}
        spoken = {k: v for k, v in env.items() if k.startswith(_LANGUAGE)} if language else _PLAIN
        text = "".join(f"{k}={_quote(v)}\n" for k, v in {**given, **spoken}.items())
        path = self.runtime / f"image-{hashlib.sha256(text.encode()).hexdigest()[:12]}.env"
        if not path.exists():
            write_private(path, text)
        return path

    def _passes(self, name: str, value: str) -> bool:
        # The node's programs, schemas and icons are not the image's.
        if name in self.passed:
            return name not in PATH_LISTS
        return (name in _USER or name.startswith(PASSED)) and not has_password(name, value)


Container = Node | Apptainer


def _source_and_target(bind: str) -> tuple[str, str]:
    """Of Apptainer's ``SOURCE[:TARGET[:OPTIONS]]``."""
    source, _, rest = bind.partition(":")
    return source, rest.partition(":")[0] or source


def _quote(value: str) -> str:
    return "'" + value.replace("'", "'\"'\"'") + "'"
