"""The STUN and TURN servers of a session, as browsers want them told (W3C, `RTCIceServer`)."""

from __future__ import annotations

from typing import Any

from ...model.records import SunshineOptions


def ice_servers(options: SunshineOptions) -> list[dict[str, Any]]:
    """First those of STUN. What is in it of TURN is secret: it opens the site's relay until it ends."""
    servers: list[dict[str, Any]] = []
    if options.stun_uris:
        servers.append({"urls": list(options.stun_uris)})
    if options.turn_uris:
        servers.append(
            {
                "urls": list(options.turn_uris),
                "username": options.turn_username,
                "credential": options.turn_credential,
            }
        )
    return servers
