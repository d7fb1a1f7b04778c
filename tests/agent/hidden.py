"""A node that lacks programs which this machine has."""

from __future__ import annotations

from collections.abc import Collection

from tests.cluster.daemon import CLEAN_ENVIRONMENT


def without_programs(names: Collection[str]) -> list[str]:
    """A command line, run by root and completed by a uid and a command to run as that user.

    In a mount namespace of its own each directory of PATH that has one of those programs is a
    directory of links to all others.
    """
    script = """
        set -e
        mount -t tmpfs -o mode=755 tmpfs /mnt
        for bin in $PLACES; do
            # /bin is a link to /usr/bin on most systems: one look at each is enough.
            [ -d $bin ] && ! [ -L $bin ] || continue
            found=
            for name in $HIDDEN; do
                if [ -e $bin/$name ] || [ -L $bin/$name ]; then found=yes; fi
            done
            [ $found ] || continue
            mkdir -p /mnt/real$bin /mnt/bin$bin
            mount --bind $bin /mnt/real$bin
            ln -s /mnt/real$bin/* /mnt/bin$bin/
            (cd /mnt/bin$bin && rm -f $HIDDEN)
            mount --bind /mnt/bin$bin $bin
        done
        unset HIDDEN PLACES
        cd "$HOME"
        uid=$1
        shift
        exec setpriv --reuid=$uid --regid=$uid --clear-groups -- "$@"
    """
    return [
        "env",
        f"HIDDEN={' '.join(names)}",
        f"PLACES={CLEAN_ENVIRONMENT['PATH'].replace(':', ' ')}",
        "unshare",
        "--mount",
        "--propagation=private",
        "sh",
        "-c",
        script,
        "sh",
    ]
