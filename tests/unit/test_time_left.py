"""When a session says that its time is nearly up."""

from __future__ import annotations

from pathlib import Path

import moonlight_spawner.agent.display.notice
import pytest
from moonlight_spawner.agent.deadline import WARN_MINUTES, Warnings
from moonlight_spawner.agent.display.notice import language_of
from moonlight_spawner.relay.languages import languages


def told(length: float, lefts: list[float]) -> list[int | None]:
    warnings = Warnings(length)
    return [warnings.due(left) for left in lefts]


def test_each_warning_is_given_once() -> None:
    lefts = [601, 600, 599, 301, 300, 299, 61, 60, 59, 0]
    assert told(8 * 3600, lefts) == [None, 10, None, None, 5, None, None, 1, None, None]


def test_a_short_session_does_without_what_is_longer_than_itself() -> None:
    assert told(340, [340, 301, 300, 60]) == [None, None, 5, 1]
    assert told(40, [40, 20, 0]) == [None, None, None]


def test_a_changed_limit_is_told_once_and_what_it_gave_back_again() -> None:
    assert told(8 * 3600, [7000, 200]) == [None, 5], "cut short: the nearest is enough"
    assert told(8 * 3600, [600, 4200, 600]) == [10, None, 10]


@pytest.mark.parametrize(
    ("env", "language"),
    [
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "ko_KR.euckr"}, "ko"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_locales(env: dict[str, str], language: str) -> None:
    assert language_of(env) == language


def test_there_is_a_picture_of_every_sentence() -> None:
    pictures = Path(moonlight_spawner.agent.display.notice.__file__).parent / "notices"
    names = {path.name for path in pictures.iterdir()}
    sentences = [f"{lang}-{what}" for lang in languages() for what in (*WARN_MINUTES, "idle")]
    assert names == {f"{name}.pbm" for name in [*sentences, "digits"]}
