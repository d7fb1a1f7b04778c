"""The settings of what a desktop is: the image it runs in, what is kept of it, and what streams it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from traitlets import Bool, Dict, Enum, Int, List, TraitError, Unicode, default, validate
from traitlets.config import LoggingConfigurable

from .machine import scratch_or_home


class DesktopSettings(LoggingConfigurable):
    """A part of :class:`.options.MoonlightSite`."""

    images_dir = Unicode("/opt/moonlight-hpc/images", help="Where `sunshine_*.sif` lie.").tag(
        config=True
    )
    host_desktop = Enum(
        ["auto", "always", "never"],
        "auto",
        help="Offer the desktop installed on the node: `auto` where no image is available.",
    ).tag(config=True)
    streaming_host = Enum(
        ["auto", "selkies", "sunshine"],
        "auto",
        help="What streams the desktop: `auto` is Sunshine in an image, selkies on the node itself.",
    ).tag(config=True)
    sunshine_command = List(
        Unicode(), ["sunshine"], help="How Sunshine is started, on the node or in the image."
    ).tag(config=True)
    moonlight_web_command = List(
        Unicode(), ["web-server"], help="How moonlight-web-stream is started."
    ).tag(config=True)
    moonlight_web_directory = Unicode(
        help="Its release's directory, with `static` and `streamer`. Default: that of the program; "
        "in an image /opt/moonlight-web."
    ).tag(config=True)
    native_clients = Bool(
        False,
        help="Let native Moonlight clients pair. The site has to route UDP from users to the nodes.",
    ).tag(config=True)
    webrtc = Bool(False, help="Let the browser's client use WebRTC besides the WebSocket.").tag(
        config=True
    )
    stun_uris = List(Unicode(), help="STUN servers for WebRTC, e.g. stun:turn.site.org:3478.").tag(
        config=True
    )
    turn_uris = List(Unicode(), help="TURN servers for WebRTC, e.g. turn:turn.site.org:3478.").tag(
        config=True
    )
    turn_secret_file = Unicode(
        help="File with coturn's static-auth-secret, for credentials that end with the session. In a portal "
        "its service reads it, and nobody else has to; at other doors users do, because what launches a "
        "session runs as its user."
    ).tag(config=True)
    sandboxes_dir = Unicode(
        help="Where `<user>_<image>` keeps what a user changes in an image. Default: "
        "/scratch/sunshine_sandboxes where it exists, else ~/.local/share/moonlight-hpc/sandboxes."
    ).tag(config=True)
    image_changes = Enum(
        ["read-only", "overlay", "sandbox"],
        "read-only",
        help="What a user changes in an image outside the home: forgotten; kept in an `overlay` (one "
        "ext3 file); or in a `sandbox` (the image unpacked, writable).",
    ).tag(config=True)
    image_overlay_mb = Int(
        4096, min=64, help="Room of a new overlay, MiB; sparse, so only what is used is taken."
    ).tag(config=True)
    image_home = Enum(
        ["bound", "private"],
        "bound",
        help="The home in an image: the user's own, or a `private` one in `sandboxes_dir`.",
    ).tag(config=True)
    image_binds = List(
        Unicode(),
        help="More directories shown in images, as Apptainer's --bind takes them, e.g. /scratch or "
        "/sw:/sw:ro.",
    ).tag(config=True)
    applications = Dict(
        value_trait=Dict(),
        key_trait=Unicode(),
        help="Programs that are offered beside the desktops, each started alone and its end the session's: "
        'by id, e.g. `{"paraview": {"name": "ParaView", "command": ["paraview"], "image": "desktop"}}`. '
        "Without `image` it is the node's own; `description` and `icon` (cae, application, desktop) are "
        "for its card.",
    ).tag(config=True)
    x_server_command = List(
        Unicode(),
        help="Another X server than Xvfb, e.g. ['Xorg', '-config', 'gpu.conf', '-novtswitch']; "
        "`{bus_id}` becomes that of the job's GPU, like PCI:59:0:0. Display, -auth, -nolisten tcp and "
        "-noreset are added.",
    ).tag(config=True)
    virtualgl = Bool(
        True, help="Let OpenGL programs draw on the job's GPU by VirtualGL, where it is installed."
    ).tag(config=True)
    audio = Bool(True, help="Stream sound, where PulseAudio is installed.").tag(config=True)
    input_method = Bool(
        True,
        help="Begin an input method (fcitx5 or IBus, where it is installed) with the desktops of users who "
        "write Korean, Japanese or Chinese, by their keyboard or locale.",
    ).tag(config=True)
    clipboard = Enum(
        ["both", "to_desktop", "from_desktop", "off"],
        "both",
        help="Ways that clipboard text may go between the user and the desktop.",
    ).tag(config=True)
    files = Enum(
        ["both", "to_desktop", "from_desktop", "off"],
        "both",
        help="Ways that files may go between the user's browser and his folders.",
    ).tag(config=True)
    files_folders = List(
        Unicode(),
        help="Directories besides the home that files may go to and come from, `{user}` being the user, "
        "e.g. /scratch/{user}. What the user may not do there, he may not do by this either.",
    ).tag(config=True)
    previews = Bool(
        True,
        help="Show users a small picture of each of their running desktops in their list. A user can hide "
        "it; nobody else gets it, and it is kept nowhere.",
    ).tag(config=True)
    sharing = Enum(
        ["off", "view", "control"],
        "view",
        help="What users may give those whom they invite to a running desktop (selkies, at JupyterLab, Open "
        "OnDemand and a portal): to `view` it, or to `control` it as well, which is to work under the "
        "user's account. At a portal its service needs selkies, too.",
    ).tag(config=True)
    sharing_nodes = List(
        Unicode(),
        help="Where a guest's Jupyter server may go for a desktop that another user shows him: names "
        "(`node*.cluster`), addresses and networks (10.1.0.0/16) of nodes. Empty: any address that a node "
        "can have.",
    ).tag(config=True)

    @default("sandboxes_dir")
    def _sandboxes_dir(self) -> str:
        return scratch_or_home("sandboxes")

    @validate("image_binds")
    def _binds(self, proposal: Mapping[str, list[str]]) -> list[str]:
        for bind in proposal["value"]:
            if not re.fullmatch(r"/[^:,]+(:/[^:,]+(:(ro|rw))?)?", bind):
                raise TraitError(
                    f"image_binds has {bind!r}, but must have /source, /source:/target or "
                    "/source:/target:ro."
                )
        return proposal["value"]

    @validate("files_folders")
    def _folders(self, proposal: Mapping[str, list[str]]) -> list[str]:
        for path in proposal["value"]:
            if not path.startswith("/"):
                raise TraitError(f"files_folders has {path!r}, but must have absolute paths.")
        return proposal["value"]

    @validate("applications")
    def _programs(self, proposal: Mapping[str, dict[str, object]]) -> dict[str, object]:
        for name, told in proposal["value"].items():
            if why := _not_an_application(name, told):
                raise TraitError(f"applications has {name!r}: {why}.")
        return proposal["value"]


def _not_an_application(name: str, told: object) -> str:
    """Why it is none; empty if it is one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,50}", name, re.ASCII):
        return "an id has small letters, digits and _.- only"
    if not isinstance(told, dict):
        return "it must be a table with a `command`"
    if unknown := set(told) - {"name", "command", "image", "description", "icon"}:
        return f"{', '.join(sorted(map(str, unknown)))} is nothing of an application"
    command = told.get("command")
    if not isinstance(command, list) or not command or not all(_plain(w) for w in command):
        return "its `command` must be a list of words, the program first"
    if not all(_plain(value) for key, value in told.items() if key != "command"):
        return "name, image, description and icon must be plain texts"
    return ""


def _plain(word: object) -> bool:
    return isinstance(word, str) and word != "" and word.isprintable()
