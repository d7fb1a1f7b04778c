"""The form and the card in the language of the dashboard around them."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from moonlight_spawner.agent.status import STEPS
from moonlight_spawner.ood.install import app_files

from .ondemand import Refused, change_settings, render, render_all
from .test_templates import DESKTOP, HOSTILE, TOKEN, Tags, is_one_block, staged

ROOT = Path(__file__).resolve().parents[2]
OTHERS = sorted(path.stem for path in (ROOT / "ood_app" / "words").glob("*.json"))
_LETTERS = re.compile(r"[A-Za-z]{3,}")
# Called so in Korean, too; a PIN and a GPU are no words, and names of programs and settings stay.
_NAMES = {"Moonlight", "HPC", "GPU", "CPU", "GiB", "Mbps", "PIN", "XFCE", "OpenGL", "llvmpipe"}


def english() -> set[str]:
    """All that templates and code of the app say by their English."""
    found = set(STEPS.values())
    for path in (ROOT / "ood_app").rglob("*"):
        if path.suffix not in (".erb", ".rb"):
            continue
        text = re.sub(r"\"\s*\\\n\s*\"", "", path.read_text("ascii"))
        found |= set(re.findall(r"\bsay(?:\[|\()\s*[\"']([^\"]+?)[\"'][\]),]", text))
        found |= set(re.findall(r"\"(\{name\} is [^\"]+)\"", text))
        found |= set(re.findall(r"\"(\{command\} is not [^\"]+)\"", text))
        tables = r"(?:names = |def self.names\n\s*)\{(.*?)\}\n"
        for table in re.findall(tables, text, re.DOTALL):
            found |= set(re.findall(r"=> \"([^\"]+)\"", table))
    return found


def korean(text: str) -> None:
    left = set(_LETTERS.findall(text)) - _NAMES
    assert re.search("[가-힣]", text) and not left, f"{left} in {text}"


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_all_that_english_says_and_nothing_else(language: str) -> None:
    path = ROOT / "ood_app" / "words" / f"{language}.json"
    words = json.loads(path.read_text("utf-8"))["words"]
    assert sorted(words) == sorted(english())
    for said, other in words.items():
        assert set(re.findall(r"\{\w+\}", said)) == set(re.findall(r"\{\w+\}", other)), said


@pytest.mark.parametrize("language", OTHERS)
def test_sentences_of_the_server_are_those_of_the_page(language: str) -> None:
    path = ROOT / "ood_app" / "words" / f"{language}.json"
    filled = runpy.run_path(str(ROOT / "tools" / "card_words.py"))["filled"]
    assert path.read_text("utf-8") == filled(path), "run tools/card_words.py"
    assert len(json.loads(filled(path))["said"]) > 80


def test_the_form_is_korean_where_the_dashboard_is(
    app: Path, home: dict[str, str], says: Callable[..., Path]
) -> None:
    says(images=[{**DESKTOP, "names": {"ko": "데스크톱"}, "descriptions": {"ko": "가볍다"}}])
    change_settings(app, begin={"default": 0, "min": 0, "max": 48}, mail=True)
    asked = {"do": "form", "app": str(app)}
    form = render(None, home, **asked, locale="ko")["form"]["attributes"]
    for field in form.values():
        for name in ("label", "help"):
            if name in field and field[name] != "GPU":
                korean(field[name])
    for name in ("image", "quality", "keyboard"):
        for option in form[name]["options"]:
            korean(option[0])
    assert form["image"]["options"][0][2] == {"data-description": "가볍다"}
    with pytest.raises(Refused, match="hours 값이 99입니다"):
        render(None, home, **{**asked, "do": "submit"}, context={"hours": "99"}, locale="ko_KR")
    # One that has no words here, and one that is no language.
    plain = render(None, home, **asked)
    for other in ("fr-CA", "../ko", "", "KO"):
        there = render(None, home, **asked, locale=other)
        assert (there == plain) == (other != "KO"), other


def test_the_card_is_korean_where_the_dashboard_is(
    app: Path, home: dict[str, str], tmp_path: Path
) -> None:
    claimed = {"number": "14", "ports": "48186"}
    step = {"label": "Claim a display and ports", "detail": "display :14", "state": "done"}
    progress = {
        **{"image_name": "Desktop", "image_names": {"ko": "데스크톱"}, "gl_renderer": "llvmpipe"},
        "notes": ["It is silent."],
        "note_codes": [{"code": "Silent", "params": {"why": "무음"}}],
        "steps": [{**step, "detail_code": "Claimed", "detail_params": claimed}],
    }
    connection = f"proxy: node\nhost: n1\nport: 40123\npassword: {TOKEN}\n"
    connection += "native_host: 10.1.2.3\nnative_port: 47989\n"
    starting = {**staged(tmp_path / "s", progress_json=progress), "state": "running"}
    running = staged(tmp_path / "r", progress_json=progress, connection_yml=connection)
    running["state"] = "running"
    damaged = {**staged(tmp_path / "d", connection_yml="host: n1\n"), "state": "running"}
    over = {"status": "cancelled", "reason": "You stopped it.", "reason_code": "StoppedByUser"}
    ended = staged(tmp_path / "e", ended_json=over)
    begun = {"message": "/x is not on this node.", "error": {"code": "not_installed"}}
    missing = staged(tmp_path / "m", session_json=begun)
    unknown = staged(tmp_path / "u")
    sessions = [starting, running, damaged, ended, missing, unknown]
    asked = [{"do": "card", "app": str(app), "session": one, "locale": "ko"} for one in sessions]
    before = {**asked[1], "before": "4.2"}
    answers = render_all(None, home, [*asked, before])
    for card, one in zip(answers, [*sessions, running], strict=True):
        for name in ("info", "view", "completed"):
            text = card.get(name, "")
            if text.strip():
                assert is_one_block(text)
                assert all(a["lang"] == "ko" for tag, a in Tags(text).tags if tag == "form")
                command = str(app) if one is not missing else Tags(text).words.split()[2]
                korean(Tags(text).words.replace(command, ""))
    assert "디스플레이 :14, 포트 48186부터" in Tags(answers[0]["info"]).words
    assert "소리가 나지 않습니다: 무음" in Tags(answers[1]["info"]).words
    assert answers[1]["view"] == answers[-1]["view"]
    assert "10.1.2.3:47989" in Tags(answers[1]["view"]).words
    assert "직접 중지했습니다." in Tags(answers[3]["completed"]).words


def test_no_parameter_of_a_record_becomes_more_than_text(
    app: Path, home: dict[str, str], tmp_path: Path
) -> None:
    asked = []
    for number, hostile in enumerate([*HOSTILE, "{why}", ["x"], {"a": 1}, None, 7]):
        coded = {"code": "Silent", "params": {"why": hostile}}
        odd = {"code": hostile, "params": hostile}
        progress = {"notes": [hostile, "b"], "note_codes": [coded, odd], "image_name": "x"}
        over = {"status": "failed", "reason": "r", "reason_code": "FAILED"}
        session = staged(
            tmp_path / str(number),
            progress_json={**progress, "image_names": hostile},
            ended_json={**over, "reason": hostile, "reason_params": hostile},
            connection_yml=f"proxy: node\nhost: n1\nport: 40123\npassword: {TOKEN}\n",
        )
        for state in ("running", "completed"):
            session = {**session, "state": state}
            asked.append({"do": "card", "app": str(app), "session": session, "locale": "ko"})
    for card in render_all(None, home, asked):
        assert "error" not in card
        for text in (card["info"], card.get("completed", "")):
            assert is_one_block(text), text
            assert Tags(text).names() <= {"div", "strong", "br", "details", "summary", "pre"}


def test_the_words_lie_with_the_installed_app() -> None:
    assert {path.stem for path in (app_files() / "words").glob("*.json")} == set(OTHERS)
