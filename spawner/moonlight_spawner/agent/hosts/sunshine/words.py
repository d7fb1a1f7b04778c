"""What Sunshine's log tells: the encoder really used, and why it failed."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FOUND = re.compile(r"Found (?P<codec>[\w.]+) encoder: (?P<name>\S+) \[(?P<kind>\w+)\]")
_NO_ENCODER = "Unable to find display or encoder during startup"
# Each of its four sockets has a line of its own, and none ends it for certain.
_TAKEN = re.compile(r"Couldn't (start|bind) .*(Address already in use)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"Cannot assign requested address|Invalid bind address|Couldn't bind .*Invalid argument"
)


@dataclass(frozen=True)
class Said:
    """What the log has said so far."""

    encoders: dict[str, str]  # codec to encoder, e.g. {"H.264": "libx264 [software]"}
    no_encoder: bool
    ports_taken: bool
    bad_address: bool

    @property
    def software(self) -> bool:
        return any("[software]" in encoder for encoder in self.encoders.values())


def read(log: str) -> Said:
    """Read a log, whole or a part of it. The last start counts."""
    log = log[max(0, log.rfind("Sunshine version:")) :]
    encoders = {m["codec"]: f"{m['name']} [{m['kind']}]" for m in _FOUND.finditer(log)}
    return Said(
        encoders=encoders,
        no_encoder=_NO_ENCODER in log and not encoders,
        ports_taken=_TAKEN.search(log) is not None,
        bad_address=_ADDRESS.search(log) is not None,
    )
