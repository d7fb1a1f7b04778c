"""What the viewer relies on in selkies' web client: looked for in the version that is pinned.

A later selkies that fails here needs its facts read again (`ui/src/viewer/host/selkies.ts`).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import selkies
from moonlight_spawner.agent.hosts.selkies import PAGE, SelkiesHost

WEB = Path(selkies.__file__).parent / "selkies_web"
VIEWER = Path(__file__).parents[2] / "jupyter_extension" / "ui" / "src" / "viewer" / "host"


def page() -> str:
    host = cast(SelkiesHost, SelkiesHost.__new__(SelkiesHost))
    cast(Any, host).context = SimpleNamespace()
    answer = host.answer(f"{PAGE}?x=1")
    assert answer and answer[0] == 200
    assert host.answer("/") is None and host.answer("/assets/core.html") is None
    return answer[2].decode()


def test_the_page_without_the_panel_loads_the_client_that_is_there() -> None:
    [script] = re.findall(r'<script[^>]* src="([^"]+)"', page())
    core = (WEB / script).read_text()
    # It starts by itself where nobody says that it is to wait, and shows the picture in this place.
    assert "__SELKIES_DEFER_INITIALIZATION" in core and "getElementById(`app`)" in core
    assert 'id="app"' in page()
    assert "dashboard" not in page() and "root" not in page()


def test_the_page_has_the_mark_that_the_viewer_looks_for() -> None:
    name = re.search(r"MARK = '([^']+)'", (VIEWER / "selkies.ts").read_text())
    path = re.search(r"PAGE = '([^']+)'", (VIEWER / "selkies.ts").read_text())
    assert name and f'<meta name="{name[1]}" content="selkies">' in page()
    assert path and f"/{path[1]}" == PAGE


def test_the_client_takes_and_gives_what_the_viewer_says_and_hears() -> None:
    core = (WEB / "src" / "selkies-core.js").read_text()
    viewer = (VIEWER / "selkies.ts").read_text()
    said = set(re.findall(r"type: '([A-Za-z:]+)'", viewer)) | {"touchinput:trackpad"}
    said |= set(re.findall(r"\? '(touchinput:[a-z]+)' : '", viewer))
    assert {"settings", "getStats", "setManualResolution", "resetResolutionToWindow"} <= said
    for name in said:
        assert re.search(f"case *`{name}`:", core), name
    for name in ("stats", "fileUpload"):
        assert f"type === '{name}'" in viewer
        assert re.search(f"type: *`{name}`", core), name
    for name in ("overlayInput", "status-display"):
        assert f"'{name}'" in viewer and f"`{name}`" in core
    assert "requestFileUpload" in core
    assert "Connection Terminated: ${" in core


@pytest.mark.parametrize("field", ["rtt_ms", "send_ms", "cpu_percent", "hardware_expected"])
def test_the_server_tells_the_figures_that_are_shown(field: str) -> None:
    told = "".join(
        (Path(selkies.__file__).parent / name).read_text()
        for name in ("stream_stats.py", "websockets_mode.py")
    )
    assert re.search(rf'["\']{field}["\']|\b{field}=', told), field
    assert field in (VIEWER / "selkies.ts").read_text()
