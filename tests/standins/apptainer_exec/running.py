"""`exec`: what Apptainer looks at before the program runs, and the program."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from contained import contained, unpacked
from image import Fatal, Image, Options, resolved, words
from said import warn

EXT3 = b"\x53\xef standin\n"
_OVERLAYS = "while loading overlay images"
_FAILED = "container creation failed"


def run(options: Options, path: str, command: list[str], image: Image, given: list[str]) -> int:
    """The status of the program, or of what is answered here."""
    if image.get("fatal"):
        with unpacked("" if image.get("squashfuse", True) else path):
            Fatal(image["fatal"]).say()
        return 255
    if "--writable" in options and "--nv" in options and _driver(image):
        warn("nv files may not be bound with --writable")
    sandbox = path.rstrip("/") if "--writable" in options else None
    if sandbox and "--overlay" in options:
        raise Fatal("cannot use --overlay in conjunction with --writable")
    if sandbox and not os.access(sandbox, os.W_OK):
        why = "you don't have write permissions"
        raise Fatal(f"could not use {os.path.realpath(path)} for writing, {why}")
    if sandbox and not os.path.isdir(sandbox):
        raise Fatal(f"no SIF writable overlay partition found in {os.path.realpath(path)}")
    overlay = _overlays(options)
    _workdir(options)
    _binds(options, sandbox)
    home, shown = _home(options, sandbox)
    environment = {"LANG": "C", **_kept(os.environ), **image.get("environment", {})}
    for text in given:
        environment |= _variables(text)
    search = [*image.get("path", []), *environment.get("PATH", "/usr/bin:/bin").split(":")]
    environment |= {"PATH": ":".join(search), "HOME": shown}
    _enter(options, home, shown)
    if os.path.basename(command[0]) == "cat":
        return _cat(command[1:], image, path)
    program = _found(command[0], search)
    file = not os.path.isdir(path)
    mounts = image.get("squashfuse", True)
    helpers = ["squashfuse_ll"] if file and mounts else []
    helpers += ["fuse2fs", "fuse-overlayfs"] if overlay and not overlay.is_dir() else []
    with unpacked(path if file and not mounts else ""):
        status = contained(program, command, environment, helpers)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _driver(image: Image) -> bool:
    return bool(image.get("gpu", os.path.exists("/dev/nvidiactl")))


def _kept(outside: Mapping[str, str]) -> dict[str, str]:
    """What --cleanenv lets through."""
    proxies = {k: v for k, v in outside.items() if k.lower().endswith("_proxy")}
    prefix = "APPTAINERENV_"
    return proxies | {k.removeprefix(prefix): v for k, v in outside.items() if k.startswith(prefix)}


def _overlays(options: Options) -> Path | None:
    """The writable one."""
    taken: Path | None = None
    for overlay in options.get("--overlay", []):
        path, _, mode = overlay.partition(":")
        start = f"{_OVERLAYS}: failed to open overlay image {path}"
        real = resolved(path, start)
        if not real.is_dir():
            with real.open("rb") as file:
                if file.read(len(EXT3)) != EXT3:
                    raise Fatal(f"{start}: image format not recognized")
        if mode == "ro":
            continue
        if taken:
            raise Fatal(
                f"{_OVERLAYS}: you can't specify more than one writable overlay, {taken} contains "
                f"a writable overlay, requires to use '--overlay {real}:ro'"
            )
        taken = real
        if real.is_dir():
            (real / "upper").mkdir(exist_ok=True)
            (real / "work").mkdir(exist_ok=True)
        else:
            _lock(real, start)
    if taken and "--writable-tmpfs" in options:
        why = f"you can't specify --writable-tmpfs with another writable overlay image ({taken})"
        raise Fatal(f"{_OVERLAYS}: {why}")
    return taken


def _lock(path: Path, start: str) -> None:
    """Held until this process ends, and what mounts it."""
    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        if e.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        why = f"can't open {path} for writing, currently in use by another process"
        raise Fatal(f"{start}: while locking ext3 partition from {path}: {why}") from e


def _binds(options: Options, sandbox: str | None) -> None:
    for one in ",".join(options.get("--bind", [])).split(","):
        source, _, rest = one.partition(":")
        target = rest.partition(":")[0] or source
        if source and not os.path.exists(source):
            _mount_failed(source, target, f"mount source {source} doesn't exist")
        if source and sandbox and not _there(target, sandbox, options):
            why = "destination automatically without overlay or underlay"
            warn(f"By using --writable, Apptainer can't create {target} {why}")
            _mount_failed(source, target, f"destination {target} doesn't exist in container")


def _there(target: str, sandbox: str, options: Options) -> bool:
    """Whether it can be mounted there: /tmp and /var/tmp are not the sandbox's own by then."""
    of_session = target.startswith(("/tmp/", "/var/tmp/")) and "--workdir" in options
    return of_session or os.path.exists(sandbox + target)


def _workdir(options: Options) -> None:
    for directory in options.get("--workdir", []):
        for name in ("tmp", "var_tmp"):
            path = os.path.join(directory, name)
            try:
                os.mkdir(path)
            except FileExistsError:
                pass
            except OSError as e:
                why = f"mkdir {path}: {words(e)}"
                raise Fatal(f"{_FAILED}: failed to create {path}: {why}") from e


def _mount_failed(source: str, target: str, why: str) -> NoReturn:
    start = f"{_FAILED}: mount hook function failure: mount {source}->{target} error"
    raise Fatal(f"{start}: while mounting {source}: {why}")


def _home(options: Options, sandbox: str | None) -> tuple[str, str]:
    """The home's path in the image, and the directory of the host that is shown there."""
    default = os.path.expanduser("~")
    source, _, target = options.get("--home", [default])[-1].partition(":")
    target = target or source
    base = "/" + target.strip("/").partition("/")[0]
    if sandbox and "--no-home" not in options and not os.path.exists(sandbox + base):
        why = "destination automatically without overlay or underlay"
        warn(f"By using --writable, Apptainer can't create {base} {why}")
        _mount_failed(source, base, f"destination {base} doesn't exist in container")
    return target, source


def _variables(text: str) -> dict[str, str]:
    """The shell's quoting and comments; assignments and nothing else."""
    read = dict(word.split("=", 1) for word in shlex.split(text, comments=True) if "=" in word)
    if "HOME" in read:
        warn("Overriding HOME environment variable with APPTAINERENV_HOME is not permitted")
        del read["HOME"]
    return read


def _enter(options: Options, home: str, shown: str) -> None:
    named = options.get("--pwd")
    wanted = named[-1] if named else home
    place = wanted
    if wanted == home or wanted.startswith(home.rstrip("/") + "/"):
        place = shown + wanted[len(home) :]
    try:
        if "--no-home" in options and not named:
            raise FileNotFoundError(errno.ENOENT, "")
        os.chdir(place)
    except OSError as e:
        why = f"chdir {wanted}: {words(e)}"
        if named:
            raise Fatal(f"failed to set working directory: {why}") from e
        warn(f"Error changing the container working directory. Using '/' instead: {why}")
        os.chdir("/")


def _cat(names: list[str], image: Image, path: str) -> int:
    status = 0
    for name in names:
        file = Path(path + name)
        if os.path.isdir(path) and file.is_file():
            sys.stdout.write(file.read_text())
        elif not os.path.isdir(path) and name in image.get("files", {}):
            sys.stdout.write(image["files"][name])
        else:
            print(f"cat: {name}: No such file or directory", file=sys.stderr)
            status = 1
    return status


def _found(command: str, search: list[str]) -> str:
    if "/" in command and os.path.exists(command):
        return command
    program = shutil.which(os.path.basename(command), path=":".join(search))
    if program:
        return program
    if "/" in command:
        raise Fatal(f"stat {command}: no such file or directory")
    raise Fatal(f'"{command}": executable file not found in $PATH')
