"""What a site's sessions need of a node: images bring a part of it themselves."""

from __future__ import annotations

from ..site.images import HOST_DESKTOP, Catalogue
from ..site.options import MoonlightSite


def node_desktop(site: MoonlightSite) -> bool:
    """Whether the desktop that is installed on the node is offered."""
    return any(image.id == HOST_DESKTOP and image.available for image in Catalogue(site).all())


def selkies(site: MoonlightSite) -> bool:
    """Whether sessions use selkies, which runs on the node itself also beside an image."""
    return site.streaming_host == "selkies" or (
        site.streaming_host == "auto" and node_desktop(site)
    )
