"""A stand-in for Apptainer as the agent calls it: `exec`, `build --sandbox`, `overlay create`.

No package registry carries Apptainer. The words and the order of the checks are from the source of
1.5 and from runs of 1.5.3 as an ordinary user without setuid. There are no mounts and no name
spaces here: programs run on the host.

An "image" is a small file: a line SIF_MAGIC, then one of JSON,

    {"path": ["/dir1", …], "files": {"/path/in/the/image": "content", …}, "calls": "/where/calls",
     "environment": {…}, "gpu": true, "fatal": "words"}

- A command is looked for in `path`, then in /usr/bin and /bin; an absolute one that the host does
  not have by its last part. This process waits for it, hands signals on and ends as it does.
- Beside it runs a process with the name of each mount helper (`squashfuse_ll` for a file, `fuse2fs`
  and `fuse-overlayfs` for an overlay), in a group of its own: it outlives a KILL of this process.
- `squashfuse`: false is a node that has none. The image is unpacked for each command, into rootfs-*
  of APPTAINER_TMPDIR or /tmp, which stays after a KILL.
- `cat FILE` prints one of `files`, or says what cat says. A sandbox has them as files.
- Every call is appended to `calls` as a line of JSON: argv, pid, the names of variables that begin
  with APPTAINER or SINGULARITY, the text of the `--env-file`, and `tmp`: APPTAINER_TMPDIR. A file
  `calls` beside this program, if there is one, gets the calls too, also those without an image.
- The environment is `environment`, then what the file of `--env-file` says, PATH and HOME; LANG is C
  unless told, because --cleanenv cleans the environment: but for proxies and APPTAINERENV_*. HOME is
  what --home names; if the home is shown at another path in the image, it is the directory that is
  shown there. USER and LOGNAME are not set.
- `gpu`: whether the host has a driver for `--nv` (else /dev/nvidiactl tells). Without one `--nv` says
  nothing.
- `fatal`: `exec` ends with that message, and cleans up behind it where it had unpacked.
- `colours`: all is said as on a terminal.

A sandbox has no layer in which mount points could be made: with `--writable` a `--bind` or a home whose
place is not in the sandbox is fatal, but for what lies in /tmp and /var/tmp, which are --workdir's.

A writable overlay that is a file (`overlay create` makes one) is locked while the program runs, so
a second one fails. A directory is not: nothing in Apptainer keeps two from writing to it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from image import DESCRIPTION, MAGIC, Fatal, Image, Options, Unknown, described, source, words
from running import EXT3, run
from said import info

_ALIASES = {
    "-B": "--bind",
    "-H": "--home",
    "-o": "--overlay",
    "-W": "--workdir",
    "-w": "--writable",
}
_ALIASES |= {"-C": "--containall", "-c": "--contain", "-e": "--cleanenv", "--cwd": "--pwd"}
_WITH_VALUE = """--bind --home --overlay --workdir --scratch --pwd --env --env-file --mount --no-mount
    --security --hostname --size"""
_WITHOUT = """--containall --contain --cleanenv --no-privs --nv --nvccli --no-nv --writable
    --writable-tmpfs --no-home --pid --ipc --userns --no-umask --underlay --no-init --no-eval
    --sandbox --force --sparse --fakeroot"""
_ROOT = """.singularity.d dev etc home mnt opt proc root run srv sys tmp usr/bin var/tmp"""


def main(argv: list[str], beside: Path) -> int:
    try:
        if argv[:1] == ["--version"]:
            print("apptainer version 1.5.3")
        elif argv[:1] == ["exec"]:
            options, rest = parse(argv[1:], least=2)
            given = _read(options.get("--env-file", []))
            text = "".join(given) if given else None
            record(argv, beside / "calls", text)
            image = described(rest[0])
            record(argv, image.get("calls"), text)
            return run(options, rest[0], rest[1:], image, given)
        elif argv[:1] == ["build"]:
            options, rest = parse(argv[1:], least=2)
            record(argv, beside / "calls")
            image = source(rest[1])
            record(argv, image.get("calls"))
            build(options, Path(rest[0]), image)
        elif argv[:2] == ["overlay", "create"]:
            options, rest = parse(argv[2:], least=1)
            record(argv, beside / "calls")
            create_overlay(options, Path(rest[0]))
        else:
            raise Unknown(f'unknown command "{" ".join(argv[:1])}" for "apptainer"')
    except Fatal as e:
        e.say()
        return 255
    except Unknown as e:
        print(f'Error for command "{argv[0] if argv else ""}": {e}', file=sys.stderr)
        return 1
    return 0


def parse(argv: list[str], least: int) -> tuple[Options, list[str]]:
    """Options up to the first word that is none, and the rest."""
    options: Options = {}
    rest = list(argv)
    while rest and rest[0].startswith("-"):
        name, sign, value = rest.pop(0).partition("=")
        name = _ALIASES.get(name, name)
        if name in _WITH_VALUE.split():
            if not sign and not rest:
                raise Unknown(f"flag needs an argument: {name}")
            options.setdefault(name, []).append(value if sign else rest.pop(0))
        elif name in _WITHOUT.split():
            options.setdefault(name, [])
        else:
            raise Unknown(f"unknown flag: {name}")
    if len(rest) < least:
        raise Unknown(f"requires at least {least} arg(s), only received {len(rest)}")
    return options, rest


def record(argv: list[str], path: Path | str | None, env_file: str | None = None) -> None:
    """An image's file is made; the one beside the program has to be there."""
    if path is None or (isinstance(path, Path) and not path.exists()):
        return
    names = [n for n in os.environ if n.startswith(("APPTAINER", "SINGULARITY"))]
    call = {"argv": argv, "pid": os.getpid(), "environment": sorted(names), "env_file": env_file}
    call["tmp"] = os.environ.get("APPTAINER_TMPDIR")
    with open(path, "a") as file:
        file.write(json.dumps(call) + "\n")


def _read(files: list[str]) -> list[str]:
    try:
        return [Path(file).read_text() for file in files]
    except OSError as e:
        start = f"while setting environment: while processing {e.filename}: could not read"
        why = f'environment file "{e.filename}": open {e.filename}: {words(e)}'
        raise Fatal(f"{start} {why}") from e


def build(options: Options, target: Path, image: Image) -> None:
    """A directory with what is in `files`, and the description; mount points are not made."""
    if target.exists() and "--force" not in options:
        why = "already exists. Use --force if you want to overwrite it"
        raise Fatal(f"While checking build target: build target '{target.name}' {why}")
    if "--sandbox" not in options:
        raise Fatal("This stand-in builds sandboxes only")
    info("Starting build...")
    info("Creating sandbox directory...")
    for name in _ROOT.split():
        (target / name).mkdir(parents=True, exist_ok=True)
    for name, text in image.get("files", {}).items():
        file = target / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (target / DESCRIPTION).write_text(MAGIC + json.dumps(image) + "\n")
    info(f"Build complete: {target}")


def create_overlay(options: Options, path: Path) -> None:
    size = int(options.get("--size", ["64"])[-1])
    if size < 64:
        raise Fatal("image size must be equal or greater than 64 MiB")
    if path.exists():
        raise Fatal(f"EXT3 overlay image {path} already exists")
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as e:
        why = f"truncate: cannot open '{path}.ext3' for writing: {words(e).capitalize()}"
        start = f"while zero'ing overlay image {path}.ext3: exit status 1"
        raise Fatal(f"{start}\nCommand error: {why}") from e
    with open(fd, "wb") as file:
        file.write(EXT3)
        file.truncate(size << 20)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], Path(sys.argv[1])))
