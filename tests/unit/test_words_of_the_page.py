"""Every code that a user meets has its words in each language of the page, about the same things."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.parts import START_FAILURES
from moonlight_spawner.model import errors
from moonlight_spawner.model.errors import MoonlightError
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.sentences import Said
from moonlight_spawner.scheduler import slurm_words
from moonlight_spawner.scheduler.slurm_words import STATES
from moonlight_spawner.site import images

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "spawner" / "moonlight_spawner", ROOT / "jupyter_extension" / "moonlight_jupyter"]
LANGUAGES = ROOT / "jupyter_extension" / "ui" / "src" / "i18n" / "languages"
OTHERS = sorted(path.stem for path in LANGUAGES.glob("*.ts") if path.stem != "en")
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ENTRY = re.compile(rf"^  (\w+):\s+((?:(?:{_TEXT})(?:\s*\+\s*)?)+),$", re.MULTILINE)
said = runpy.run_path(str(ROOT / "tools" / "card_words.py"))["said"]
# These say how something else went, which has words of its own, or are no sentences for a page.
NO_WORDS = {"COMPLETED", "CANCELLED", "CancelledOutside", "PENDING", "RUNNING"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in SOURCES:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    function = node.func
                    owner = function.value if isinstance(function, ast.Attribute) else function
                    if isinstance(owner, ast.Name):
                        end = f".{function.attr}" if isinstance(function, ast.Attribute) else ""
                        yield owner.id + end, node


def text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def sentences() -> dict[str, set[str]]:
    """Codes with what their sentences speak of."""
    return {
        text(call.args[0]): {word.arg or "" for word in call.keywords}
        for name, call in calls()
        if name == "Said.by" and text(call.args[0])
    }


def codes() -> set[str]:
    """All that the sources tell a user by a code."""
    found = set(sentences())
    for name, call in calls():
        words = {word.arg: word.value for word in call.keywords}
        if name in ("End", "Queue"):
            found.add(text(words.get("code")))
        if name == "Said" and len(call.args) > 1:
            found.add(text(call.args[1]))
    found |= {error.__name__ for error in START_FAILURES}
    found |= set(images._REASONS)
    found |= {code for _, code, _ in slurm_words._PENDING}
    found |= {word.code or name for name, word in STATES.items() if word.message or word.code}
    # Those of a command's own module are told to terminals alone.
    found |= {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, MoonlightError)
    }
    return found - NO_WORDS - {""}


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((LANGUAGES / language).glob("*.ts")):
        for key, said in _ENTRY.findall(path.read_text("utf-8")):
            found[key] = said
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_every_code_has_its_words(language: str) -> None:
    known = words(language)
    assert len(known) > 80
    assert sorted(codes() - set(known)) == []


def may_be_said() -> set[str]:
    """All words of the sources that could be a code: texts, and names of errors. Not those of an answer
    that has no body, which nobody is told."""
    found: set[str] = set()
    for folder in SOURCES:
        for path in folder.rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            silent = {
                id(part)
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and node.args and _is(node.args[0], 416)
                for part in node.args
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and id(node) not in silent:
                    found.add(text(node))
                elif isinstance(node, ast.ClassDef):
                    found.add(node.name)
    return found


def _is(node: ast.expr, value: int) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


@pytest.mark.parametrize("language", OTHERS)
def test_none_has_words_that_are_never_said(language: str) -> None:
    assert sorted(set(said(language)) - may_be_said()) == []


@pytest.mark.parametrize("language", OTHERS)
def test_they_speak_of_nothing_that_is_not_sent(language: str) -> None:
    known = words(language)
    for code, params in sentences().items():
        asked = set(re.findall(r"\{(\w+)\}", known[code]))
        assert asked <= params | {"message"}, (code, asked, params)


@pytest.mark.parametrize("language", OTHERS)
def test_the_images_that_we_ship_have_names_in_it(language: str) -> None:
    shipped = json.loads((ROOT / "image_defs" / "catalog.json").read_text("utf-8"))["images"]
    assert len(shipped) > 2
    for image in shipped:
        assert image["names"][language] and image["descriptions"][language], image["id"]


def test_a_sentence_is_text_with_a_code() -> None:
    said = Said.by("Silent", "It is silent: {why}.", why="no {card}")
    assert said == "It is silent: no {card}." and said in [str(said)]
    assert (said.code, said.params) == ("Silent", {"why": "no {card}"})


def test_notes_are_text_to_versions_without_codes_and_the_codes_stand_beside_them() -> None:
    told = AgentStatus(notes=[Said.by("Silent", "It is silent: {why}.", why="\udcb0"), Said("x")])
    written = json.loads(told.model_dump_json())
    assert written["notes"] == ["It is silent: \\xb0.", "x"]
    coded = {"code": "Silent", "params": {"why": "\\xb0"}}
    assert written["note_codes"] == [coded, {"code": "", "params": {}}]
    note, plain = AgentStatus.model_validate_json(told.model_dump_json()).notes
    assert (note.code, note.params) == ("Silent", {"why": "\\xb0"})
    assert plain == "x" and (plain.code, plain.params) == ("", {})
    (old,) = AgentStatus.model_validate({"notes": ["It is slow."]}).notes
    assert old == "It is slow." and old.code == ""
    odd = AgentStatus.model_validate({"notes": ["a", "b"], "note_codes": [coded]})
    assert [note.code for note in odd.notes] == ["", ""], "whose each is cannot be known"
