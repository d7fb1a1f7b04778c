"""What the services and the desktop say, in every language that there is a file for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from moonlight_spawner.relay.languages import languages, of_locale, spoken, words

OTHERS = sorted(languages() - {"en"})


def leaves(said: dict[str, Any], place: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in said.items():
        here = f"{place}.{key}"
        found |= leaves(value, here) if isinstance(value, dict) else {here: value}
    return found


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_all_that_english_says_about_the_same(language: str) -> None:
    english, theirs = leaves(words("en")), leaves(words(language))
    assert sorted(english) == sorted(theirs)
    for place, sentence in english.items():
        asked = re.findall(r"\{\w+\}", sentence)
        assert sorted(asked) == sorted(re.findall(r"\{\w+\}", theirs[place])), place
        assert theirs[place].strip(), place


@pytest.mark.parametrize(
    "accepted, language",
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("fr, ko;q=0.8, en;q=0.5", "ko"),
        ("en-US,ko;q=0.5", "en"),
        ("kok", "en"),
        ("", "en"),
    ],
)
def test_a_browser_is_answered_in_the_first_language_that_is_spoken(
    accepted: str, language: str
) -> None:
    assert spoken(accepted) == language


def test_a_desktop_has_the_language_of_its_locale() -> None:
    assert [of_locale(name) for name in ("ko_KR.UTF-8", "C.UTF-8", "de_DE@euro")] == [
        "ko",
        "en",
        "en",
    ]
