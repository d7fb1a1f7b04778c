"""Writes the table of docs/configuration.md anew from the settings themselves."""

from __future__ import annotations

import sys
from pathlib import Path

from moonlight_spawner.site.options import MoonlightSite

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
_MADE = {
    "agent_command": "this environment's `moonlight-hpc agent`",
    "gpus": "1",
    "max_gpus": "2",
    "sessions_dir": "see right",
    "logs_dir": "see right",
    "sandboxes_dir": "see right",
    "gateway_address": "see right",
    "user_side_command": "this environment's `moonlight-hpc user-side`",
}


def table() -> str:
    """The table in Markdown, a line per setting."""
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, trait in sorted(MoonlightSite.class_traits(config=True).items()):
        value = trait.default()
        default = _MADE.get(name) or ("–" if value in ("", [], {}, None) else f"`{value}`")
        rows.append(f"| `{name}` | {default} | {trait.help} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """The page with the table replaced; what stands above it is written by hand."""
    text = PAGE.read_text("utf-8")
    return text[: text.index("| setting |")] + table()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.exit(0)
