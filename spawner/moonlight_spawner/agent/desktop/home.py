"""The user's home as the node has it: seen before the desktop would die of it without a word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ...model.account import account, path_name
from ...model.records import Spec
from ...model.said import said_by
from ...model.sentences import Said


class NoHome(Exception):
    """The node has no home for this user. The text says what to do."""


# Where XFCE and its programs write before anything is on the screen: the variable that names the
# directory (XDG Base Directory Specification), its default below the home, and what lies in it. Of
# the last all that exist have to be the user's: one `sudo startxfce4` leaves them root's.
_PLACES = (
    ("XDG_CONFIG_HOME", ".config", ("xfce4", "xfce4/xfconf", "xfce4/xfconf/xfce-perchannel-xml")),
    ("XDG_CACHE_HOME", ".cache", ("sessions",)),
    ("XDG_DATA_HOME", ".local/share", ()),
)


def private_home(spec: Spec, user: str) -> Path | None:
    """Where the home lies that a desktop in an image has for itself; None: it has the user's own."""
    if spec.image_path is None or spec.image.home != "private":
        return None
    # No image's id begins with a dot.
    return Path(spec.image.sandboxes_dir) / f"{path_name(user)}_.home"


def look_at_home(env: Mapping[str, str]) -> None:
    """See that the home is there.

    A desktop with another home in its place would look right and forget everything, so there is none.

    Raises
    ------
    NoHome
    """
    home, node = env["HOME"], os.uname().nodename
    if os.path.isdir(home) and os.access(home, os.R_OK | os.X_OK):
        return
    what = "cannot be entered" if os.path.isdir(home) else "does not exist"
    raise NoHome(
        f"The home {home} of {account().name} {what} on node {node}. An administrator has to make it "
        "available there: is its file system mounted?"
    )


def own_places(
    env: Mapping[str, str], runtime: Path
) -> tuple[dict[str, str], list[str], list[Said]]:
    """Places that end with the session, for what the desktop cannot write in the home.

    Without a configuration that it can write, XFCE shows nothing but "Session Manager Error".

    Returns
    -------
    The variables that name the places, directories to read configuration from all the same, and
    words for the user.
    """
    found: dict[str, str] = {}
    readable, words = [], []
    for variable, default, below in _PLACES:
        named = env.get(variable, "")
        path = Path(named if os.path.isabs(named) else os.path.join(env["HOME"], default))
        wrong = next((p for p in (path, *(path / b for b in below)) if not _writable(p)), None)
        if wrong is None:
            continue
        place = runtime / "home" / Path(default).name
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        found[variable] = str(place)
        if variable == "XDG_CONFIG_HOME":
            readable.append(str(path))
        words.append(
            Said.by(
                "CannotBeWritten",
                "{path} cannot be written ({why}): what the desktop keeps there is forgotten at the end "
                "of this session. If it should be yours, ask for: chown -R {user} {path}",
                path=wrong,
                why=_why(wrong),
                user=env["USER"],
            )
        )
    return found, readable, words


def _writable(path: Path) -> bool:
    """Whether it can be written, or made where it does not exist."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _why(path: Path) -> str:
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    try:
        info = path.stat()
    except OSError as e:
        return said_by(e)
    if not path.is_dir():
        return f"{path} is no directory"
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return "its file system is read-only"
    return f"{path} belongs to uid {info.st_uid}, mode {info.st_mode & 0o7777:o}"
