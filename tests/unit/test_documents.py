"""Documents that would lie: they are compared with what they speak of."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_the_table_of_settings_is_that_of_the_program() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "tools/settings_table.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs/configuration.md").read_text("utf-8") == module.page()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8")):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_make_targets_that_are_named_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", document.read_text("utf-8")))
    assert named <= targets, named - targets


def test_files_that_the_structure_names_exist() -> None:
    text = (ROOT / "docs/structure.md").read_text("utf-8")
    places = [
        ROOT,
        ROOT / "spawner/moonlight_spawner",
        ROOT / "jupyter_extension/moonlight_jupyter",
    ]
    for name in re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text):
        assert any((place / name).exists() for place in places), name


def test_each_tool_of_a_desktop_is_explained_to_its_user() -> None:
    pages = ROOT / "jupyter_extension/ui/src"
    bar = (pages / "viewer/Toolbar.tsx").read_text("utf-8")
    labels = re.findall(r"(?:[^-]label=|tool-label\">)\{[^{}]*\bt\.(\w+)\.(\w+)\}", bar)
    assert len(labels) > 9
    english, text = pages / "i18n/languages/en", (ROOT / "docs/desktop.md").read_text("utf-8")
    told = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    for room, word in labels:
        own = english / f"{room}.ts"
        text = (own if own.is_file() else english.with_suffix(".ts")).read_text("utf-8")
        part = text if own.is_file() else text.partition(f"\n  {room}: {{")[2]
        label = re.search(rf"\b{word}: '([^']+)'", part)
        assert label and f"*{label[1]}*" in told, (room, word)


def test_what_a_portal_says_of_its_redis_and_its_nodes_is_said_as_the_document_quotes_it() -> None:
    """And each sentence that the program has for it has its row."""
    text = (ROOT / "docs/troubleshooting.md").read_text("utf-8")
    chapters = text.partition("## A portal's Redis")[2].partition("## Looking closer")[0]
    rows = re.findall(r"^\| (\*.*?) \|", chapters, re.MULTILINE)
    quoted = [words for row in rows for words in re.findall(r"\*(.+?)\*", row)]
    spawner = ROOT / "spawner/moonlight_spawner"
    files = ("store/redis_client.py", "store/redis.py", "agent/callback.py")
    source = "\n".join((spawner / name).read_text("utf-8") for name in files)
    source = re.sub(r'"\n\s*f?"', "", source)
    assert len(quoted) > 13
    for words in quoted:
        assert words.removesuffix(" …").removesuffix(" 401") in source, words
    client = (spawner / "store/redis_client.py").read_text("utf-8")
    said = re.findall(
        r'(?m)^\s+(?:return )?\(?\s*f?"((?:is|has|does|takes|cannot be) [^"(:]*)', client
    )
    assert len(said) > 7
    for words in said:
        begin = words.partition("{")[0].strip()
        assert any(q.startswith(begin) or begin.startswith(q.rstrip("… ")) for q in quoted), words


def test_every_error_code_of_the_program_has_its_row() -> None:
    spawner, extension = ROOT / "spawner", ROOT / "jupyter_extension/moonlight_jupyter"
    sources = [*spawner.rglob("*.py"), *extension.rglob("*.py")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    given = set(re.findall(r'"code": "([a-z_]+)"', text))  # what the node answers to /control
    given |= set(re.findall(r'\b(?:refuse|_page)\([^"()]*"([a-z_]+)"', text))
    transfers = (spawner / "moonlight_spawner/agent/transfers").glob("*.py")
    files = "\n".join(path.read_text("utf-8") for path in transfers)
    refused = set(
        re.findall(r'Refused\(\s*\d+, "([a-z_]+)"|^    "([a-z_]+)": "', files, re.MULTILINE)
    )
    given |= {code for pair in refused for code in pair if code}
    errors = (spawner / "moonlight_spawner/model/errors.py").read_text("utf-8")
    given |= set(re.findall(r'^    code = "([a-z_]+)"', errors, re.MULTILINE))
    pages = (spawner / "moonlight_spawner/relay/words/en.json").read_text("utf-8")
    given |= set(json.loads(pages)["pages"])
    base = (extension / "json_errors.py").read_text("utf-8")
    statuses = set(re.findall(r'^    "([a-z_]+)": (\d{3}),$', base, re.MULTILINE))
    statuses |= {
        (code, n) for n, code in re.findall(r'^    (\d{3}): "([a-z_]+)",$', base, re.MULTILINE)
    }
    assert len(given) > 20 and len(statuses) > 10  # they are still written as they are looked for
    given.remove("submit_unconfirmed")  # never answered: the launch goes on, and looks for the job

    table = (ROOT / "docs/api.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| `([a-z_]+)` \|", table, re.MULTILINE)
    described = {(code, status) for numbers, code in rows for status in numbers.split(", ")}
    assert given | {code for code, _ in statuses} == {code for code, _ in described}
    assert statuses <= described


def test_every_picture_is_shown_and_small() -> None:
    pictures = ROOT / "docs" / "pictures"
    gallery = (pictures / "README.md").read_text("utf-8")
    assert set(re.findall(r"\((\S+\.png)\)", gallery)) == {p.name for p in pictures.glob("*.png")}
    shown = re.findall(r"docs/pictures/(\S+\.png)", (ROOT / "README.md").read_text("utf-8"))
    assert shown and all((pictures / name).is_file() for name in shown)
    assert sum(path.stat().st_size for path in pictures.glob("*.png")) < 1_200_000
