"""A machine of a test's own on this one: its own files, accounts, ports and processes, gone with its end.

What is written goes to memory (overlayfs), what listens is in a network of its own, and all processes end
with the first. So what a document does to a machine can be done here, by the names that stand in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Where is seen, inside, what was written since the beginning, and what was there before.
WRITTEN, BEFORE = Path("/mnt"), Path("/media")
ADDRESS = "10.1.0.1"

_ENTER = """
set -e
world=$1; address=$2; checkout=$3; shift 3
mount --make-rprivate /
mount -t tmpfs -o mode=0755 world "$world"
cd "$world"
mkdir upper work root
mount -t overlay world -o lowerdir=/,upperdir=upper,workdir=work root
mount --rbind /dev root/dev
mount --rbind /sys root/sys
mount -t proc proc root/proc
for place in tmp var/tmp; do mount -t tmpfs -o mode=1777 world "root/$place"; done
mount -t tmpfs -o mode=0755 world root/run
mkdir root/run/lock
while [ "$1" != -- ]; do mount --rbind "$1" "root$1"; shift; done; shift
mount --bind upper root/mnt
mount --bind / root/media
ip link set lo up
ip addr add "$address/16" dev lo
exec chroot root sh -c 'cd "$0" && exec "$@"' "$checkout" "$@"
"""


def command(directory: Path, *argv: str) -> list[str]:
    """What runs ``argv`` as the first process of a new world. ``directory`` is empty, and stays so."""
    mounted = {str(path) for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix))}
    apart = [
        path for path in sorted(mounted) if Path(path).stat().st_dev != Path("/").stat().st_dev
    ]
    spaces = ["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
    enter = ["sh", "-c", _ENTER, "sh", str(directory), ADDRESS, str(ROOT), *apart, "--"]
    return ["unshare", *spaces, *enter, *argv]


def run(module: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """A module of this package, in a world of its own."""
    with tempfile.TemporaryDirectory(prefix="mlt-world-", dir="/var/tmp") as directory:
        argv = command(Path(directory), sys.executable, "-B", "-m", module)
        return subprocess.run(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
