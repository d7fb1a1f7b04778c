"""What a user may call a desktop, and where the name is kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.cli.session import _line
from moonlight_spawner.model.errors import InvalidRequest, NotFound
from moonlight_spawner.model.names import MOST_SIGNS
from moonlight_spawner.model.records import Name
from moonlight_spawner.model.session import End, State, now
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.request import validate_name, validate_renaming, validate_request

from .desk import Desk, running


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("", ""),
        ("  Crash test 3  ", "Crash test 3"),
        ("홍길동의 유동 해석", "홍길동의 유동 해석"),
        ("한글", "한글"),  # as a Mac writes it, in parts
        ("نام‌گذاری", "نام‌گذاری"),  # with a joiner that belongs to it
        ("👩‍🔬 α/β", "👩‍🔬 α/β"),
        ("<b>&amp;", "<b>&amp;"),  # pages and terminals make it harmless where they show it
        ("x" * MOST_SIGNS, "x" * MOST_SIGNS),
    ],
)
def test_any_script_makes_a_name(asked: str, kept: str, site: MoonlightSite) -> None:
    assert validate_name({"name": asked}) == validate_renaming({"name": asked}) == kept
    assert not hasattr(validate_request({"name": asked}, site, "desktop"), "name")


@pytest.mark.parametrize(
    "wrong",
    [
        *("x" * (MOST_SIGNS + 1), "x" * 100_000, "a\nb", "a\x00b", "a\x1b[31m", "a\x7fb", "a\x85b"),
        *("abc\u202etxt.exe", "\u2067abc", "a\u200fb", "a\u200bb", "\ufeffa", "a\u2028b", "\ud800"),
        *("\u3164", "\u200d\u200c", "\u2800", 7, None, ["a"], {"a": 1}, True),
    ],
)
def test_what_is_too_long_hidden_or_turns_the_line_is_none(wrong: Any, site: MoonlightSite) -> None:
    for check in (validate_renaming, lambda body: validate_request(body, site, "desktop")):
        with pytest.raises(InvalidRequest) as caught:
            check({"name": wrong})
        (field,) = caught.value.fields
        assert field.field == "name" and len(field.message) < 300 and field.message.isprintable()


@pytest.mark.parametrize("body", [{}, {"hours": 1}, {"name": "a", "hours": 1}, [], "a", None])
def test_nothing_else_of_a_session_is_changed(body: Any) -> None:
    with pytest.raises(InvalidRequest, match="nothing else"):
        validate_renaming(body)


def test_a_desktop_is_renamed_while_it_runs_and_when_it_has_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    end = End(state=State.COMPLETED, code="Ended", reason="It ended.")
    for session_id in (desk.add(**running()), desk.add(end=end)):
        assert desk.sessions()[session_id].name == "", "one of an older version has none"
        at = now() + timedelta(hours=1)  # by a door whose clock is before ours
        desk.manager.store.put(desk.user, session_id, "name", Name(text="first", at=at))
        for name in ("유동 해석", ""):
            body = {"name": name}
            renamed = desk.do(lambda m, i=session_id, b=body: m.rename(desk.user, i, b))
            assert renamed.name == desk.sessions()[session_id].name == name
            record = desk.do(lambda m, i=session_id: _record(m, desk.user, i))
            assert record.name.text == name, "who keeps a copy of it gets it"
            assert record.name.at > at, "and knows that it is the last one"
            at = record.name.at
    with pytest.raises(NotFound):
        desk.do(lambda m: m.rename(desk.user, "ml-x-aaaaaaaaaa", {"name": "a"}))


def test_it_is_named_before_its_image_in_a_list(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    session_id = desk.add(**running())
    assert "  XFCE  " in _line(desk.sessions()[session_id])
    named = desk.do(lambda m: m.rename(desk.user, session_id, {"name": "Crash"}))
    assert "  Crash (XFCE)  " in _line(named)


def test_a_name_in_a_record_that_could_not_be_given_is_not_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    session_id = desk.add(**running())
    path = desk.directory(session_id) / "name.json"
    path.write_text('{"text": "a\\u202eb"}')
    path.chmod(0o600)
    session = desk.sessions()[session_id]
    assert session.name == "" and any("name.json" in note for note in session.notes)


async def _record(manager: Any, user: str, session_id: str) -> Any:
    return manager.record(user, session_id)
