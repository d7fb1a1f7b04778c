"""Where selkies' web client is installed, which shows a guest the picture: that of who serves him, never the
one of the node whose owner has invited him."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def client_files() -> Path | None:
    """Their directory; None if selkies is not installed beside this program."""
    spec = find_spec("selkies")
    places = spec.submodule_search_locations if spec else None
    found = Path(places[0]) / "selkies_web" if places else None
    return found if found and (found / "src" / "selkies-core.js").is_file() else None
