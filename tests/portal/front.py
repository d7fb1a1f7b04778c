"""A portal's nginx: the files that are shipped, in a server with more than ours."""

from __future__ import annotations

from pathlib import Path

from tests.support.nginx import Nginx

SHIPPED = Path(__file__).resolve().parents[2] / "deploy/nginx"

#: What a portal has besides, and each of it would take our paths if it could.
THE_SITES = "the site's own\n"
_SERVER = """
    default_type text/plain;
    add_header Strict-Transport-Security "max-age=31536000" always;
    location / {{ return 200 "{answer}"; }}
    location /api/ {{ return 200 "{answer}"; }}
    location ~ ^/(api|moonlight)/ {{ return 200 "{answer}"; }}
    location ~* \\.(js|css|svg)$ {{ return 200 "{answer}"; }}
    {more}
    include {directory}/moonlight/moonlight.conf;
"""


def site_nginx(
    directory: Path,
    https: int,
    port: int,
    signaling: int,
    more: str = "",
    beside: tuple[int, int] | None = None,
) -> Nginx:
    """nginx at ``https``, before a service at ``port`` and ``signaling``, and another one ``beside`` it;
    ``more`` are other locations."""
    ours = directory / "moonlight"
    ours.mkdir()
    second = {}
    if beside:  # another line in both blocks
        for shipped, there in zip((8004, 8005), beside, strict=True):
            line = f"    server 127.0.0.1:{shipped} fail_timeout=2s;\n"
            second[line] = line + line.replace(str(shipped), str(there))
    places = second | {
        "/etc/nginx/moonlight/": f"{ours}/",
        "/var/cache/nginx/moonlight": str(directory / "cache"),
        "127.0.0.1:8004": f"127.0.0.1:{port}",
        "127.0.0.1:8005": f"127.0.0.1:{signaling}",
    }
    for name in ("moonlight.conf", "moonlight-proxy.conf", "moonlight-http.conf"):
        (ours / name).write_text(_with(places, (SHIPPED / name).read_text("utf-8")), "utf-8")
    server = _SERVER.format(directory=directory, answer=THE_SITES.strip(), more=more)
    return Nginx(directory, https, server, f"include {ours}/moonlight-http.conf;")


def _with(places: dict[str, str], text: str) -> str:
    """The shipped text at the places of a test: nothing else is changed."""
    for shipped, here in places.items():
        text = text.replace(shipped, here)
    return text
