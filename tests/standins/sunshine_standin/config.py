"""Command line and configuration file (recordings: sample-sunshine.conf, env-failures.txt)."""

from __future__ import annotations

import ipaddress
import json
import os
import pwd
import signal
from dataclasses import dataclass, field
from pathlib import Path

from . import knobs
from .log import Log

_KEYS = """qp hevc_mode av1_mode min_threads sw_preset sw_tune nvenc_preset nvenc_vbv_increase
    nvenc_spatial_aq nvenc_twopass nvenc_h264_cavlc nvenc_split_encode nvenc_realtime_hags
    nvenc_opengl_vulkan_on_dxgi nvenc_latency_over_power qsv_preset qsv_coder qsv_slow_hevc
    amd_quality amd_rc amd_coder amd_usage amd_preanalysis amd_vbaq amd_enforce_hrd vt_coder
    vt_software vt_realtime vaapi_quality vaapi_rc vaapi_blbrc vaapi_strict_rc_buffer vk_tune
    vk_rc_mode capture encoder adapter_name output_name dd_configuration_option
    dd_resolution_option dd_manual_resolution dd_refresh_rate_option dd_manual_refresh_rate
    dd_hdr_option dd_config_revert_delay dd_config_revert_on_disconnect dd_mode_remapping
    dd_wa_hdr_toggle_delay max_bitrate minimum_fps_target pkey cert sunshine_name log_path
    file_state credentials_file external_ip global_prep_cmd audio_sink virtual_sink stream_audio
    install_steam_audio_drivers origin_web_ui_allowed csrf_allowed_origins ping_timeout
    lan_encryption_mode wan_encryption_mode packetsize file_apps fec_percentage keybindings
    key_rightalt_to_key_win back_button_timeout key_repeat_frequency key_repeat_delay gamepad
    ds4_back_as_touchpad_click motion_as_ds4 touchpad_as_ds4 virtualhid_randomize_mac mouse
    keyboard controller always_send_scancodes high_resolution_scrolling native_pen_touch
    notify_pre_releases system_tray port address_family bind_address upnp locale min_log_level
    flags"""
KNOWN = frozenset(_KEYS.split())
_STOCK_APPS = {
    "env": {"PATH": "$(PATH):$(HOME)/.local/bin"},
    "apps": [
        {"name": "Desktop", "image-path": "desktop.png"},
        {"name": "Low Res Desktop", "image-path": "desktop.png"},
        {"name": "Steam Big Picture", "cmd": "steam://open/bigpicture", "auto-detach": True},
    ],
}


class Unusable(Exception):
    """The configuration cannot be applied: Sunshine says so and ends with 0."""


@dataclass
class Config:
    """What the process runs with; ``values`` are the texts as given."""

    file: Path
    values: dict[str, str]
    command: list[str]
    appdata: Path
    paths: dict[str, Path] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Out of range is silently the default (env-failures.txt: port 70000)."""
        try:
            found = int(self.values[name].strip('"'), 0)
        except (KeyError, ValueError):
            return default
        return found if low <= found <= high else default

    def on(self, name: str, default: bool) -> bool:
        """Anything unknown is off, ``True`` and ``Enabled`` too: only small letters (source)."""
        found = self.text(name)
        if not found:
            return default
        return found in {"true", "yes", "enable", "enabled", "on"} or "1" in found

    def choice(self, name: str, allowed: list[str]) -> str:
        found = self.text(name, allowed[0])
        return found if found in allowed else allowed[0]

    @property
    def port(self) -> int:
        return self.number("port", int(knobs.text("DEFAULT_PORT")), 1019, 65514)

    @property
    def family(self) -> str:
        return self.choice("address_family", ["ipv4", "both"])

    @property
    def bind(self) -> str:
        return self.text("bind_address", "0.0.0.0" if self.family == "ipv4" else "::")

    @property
    def name(self) -> str:
        return self.text("sunshine_name", os.uname().nodename)

    @property
    def origins(self) -> list[str]:
        given = self.text("csrf_allowed_origins").strip("[]").split(",")
        own = [part.strip().strip('"') for part in given if part.strip()]
        default = ["https://localhost", "https://127.0.0.1", "https://[::1]"]
        return default + [o for o in own if o.startswith("https://") and len(o) > 8]


def parse_text(content: str) -> dict[str, str]:
    """``key = value`` lines, ``#`` comments, lists in brackets over several lines."""
    found: dict[str, str] = {}
    lines = iter(content.splitlines())
    for line in lines:
        name, sign, value = line.partition("#")[0].strip().partition("=")
        name, value = name.rstrip(" \t"), value.lstrip(" \t")
        if not sign or not name or not value:
            continue
        while value.startswith("[") and value.count("[") > value.count("]"):
            more = next(lines, None)
            if more is None:
                break
            value += "\n" + more
        found.setdefault(name, value)
    return found


def appdata() -> Path:
    """The folder it always creates, in the real one's order of precedence."""
    home = os.environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:  # env-failures.txt: no passwd entry and no HOME is -11
            os.kill(os.getpid(), signal.SIGSEGV)
            raise
    for name in ("CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME"):
        if os.environ.get(name):
            return Path(os.environ[name]) / "sunshine"
    return Path(home) / ".config" / "sunshine"


def read(argv: list[str], log: Log) -> Config:
    """Read command line and file; makes the folders of every path as the real one does.

    Raises
    ------
    Unusable
    """
    folder = appdata()
    file, given, command = folder / "sunshine.conf", {}, []
    for at, word in enumerate(argv[1:], 1):
        if word.startswith("--"):
            command = [word[2:], *argv[at + 1 :]]
            break
        if word.startswith("-"):
            continue
        if "=" in word:
            given.update(parse_text(word) or _refuse())
        else:
            file = Path(word)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unusable(_says("cannot create directories", e, folder)) from e
    if not file.exists():
        # sunshine.md: a missing file is created empty if it can be, and means pure defaults.
        try:
            file.touch()
        except OSError:
            log.early("info", f"Couldn't create {file}")
    values = parse_text(file.read_text()) if file.is_file() else {}
    values.update(given)
    config = Config(file, values, command, folder)
    for name, value in values.items():
        log.early("info", f"config: '{name}' = {value}")
    defaults = {
        "pkey": "credentials/cakey.pem",
        "cert": "credentials/cacert.pem",
        "log_path": "sunshine.log",
        "file_state": "sunshine_state.json",
        "file_apps": "apps.json",
    }
    for name, default in defaults.items():
        config.paths[name] = _path(config, values.get(name) or default)
    state = str(config.paths["file_state"])
    config.paths["credentials_file"] = _path(config, values.get("credentials_file") or state)
    apps = config.paths["file_apps"]
    if not apps.exists():
        apps.write_text(json.dumps(_STOCK_APPS, indent=4))
    for name in values:
        if name not in KNOWN:
            log.plain(f"Warning: Unrecognized configurable option [{name}]")
    return config


def address_words(text: str) -> str | None:
    """None for an address; for anything else what the real one says of it."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f"Invalid bind address: {text} - Invalid argument"
    return None


def _path(config: Config, value: str) -> Path:
    path = config.appdata / value
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unusable(_says("cannot create directories", e, path.parent)) from e
    return path


def _says(what: str, error: OSError, path: Path) -> str:
    return f"Failed to apply config: filesystem error: {what}: {error.strerror} [{path}]"


def _refuse() -> dict[str, str]:
    raise Unusable("Usage: sunshine [options] [/path/to/configuration_file] [--cmd]")
