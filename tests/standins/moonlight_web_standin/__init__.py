"""A process that stands in for moonlight-web-stream, v2.10.0 or v3.0.0-prerelease.4.

``tests/standins/web-server`` is a link into ``moonlight_web_package/``, which is laid out as the
release archive: ``web-server``, ``streamer`` and ``static/``. As with the real one, static files
come from ``./static`` of the working directory, the configuration from ``./server/config.json``
(``-c``), and in v2 the ``streamer`` from ``streamer_path``.

It is stricter than the real one, which skips keys that it does not know: here any unknown key,
wrong type or missing key of ``config.json`` ends the process with 101 (the real one panics with
101 too). As with the real one, a bad ``data.json`` and a taken port end it with 0; here so do a role
or an owner that is not there and a key that is not the certificate's, with which the real one runs on.
While a WebSocket is open, TERM is obeyed after 30 s only. It believes whoever answers for the host, but
only one whose ``uniqueid`` is a UUID.

Knobs, environment variables:

STANDIN_PYTHON
    The interpreter. Else the repository's ``.venv``, else ``python3`` on PATH.
STANDIN_MOONLIGHT_WEB (2)
    3: the other version.
"""

from __future__ import annotations

import os

VERSIONS = {2: "2.10.0", 3: "3.0.0-prerelease.4"}


def major() -> int:
    """2 or 3."""
    return 3 if os.environ.get("STANDIN_MOONLIGHT_WEB", "2").startswith("3") else 2
