"""One patience for all tests: a wait has no number of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_for, wait_until

TESTS = Path(__file__).parents[1]

#: What waits, and where among its arguments the seconds stand.
_WAITS = {
    **{"wait_until": 1, "wait_for": 1, "create_connection": 1},
    **{"wait": 0, "join": 0, "settimeout": 0, "result": 0, "sleep": 0, "get": 1, "Timer": 0},
}
_KEYWORDS = ("timeout", "seconds")

#: A pause shorter than this is a step of a poll, and not what a test waits for.
_PAUSE = 1.0


def numbers(source: str) -> Iterator[int]:
    """The lines where something waits for a number of seconds that has no name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            place = _WAITS.get(name)
            given = [k.value for k in node.keywords if k.arg in _KEYWORDS and name != "timedelta"]
            given += node.args[place : place + 1] if place is not None else []
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            plain = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            named = [*zip(plain, node.args.defaults, strict=True)]
            named += [*zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
            given = [value for one, value in named if value and one.arg in _KEYWORDS]
        else:
            continue
        for value in given:
            number = value.value if isinstance(value, ast.Constant) else None
            if isinstance(number, int | float) and number >= _PAUSE:
                yield value.lineno


def test_no_wait_has_a_number_of_its_own() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        # The programs that stand in for others wait as those do.
        if not path.is_relative_to(TESTS / "standins") or path.name.startswith("test_")
        for line in numbers(path.read_text("utf-8"))
    ]
    assert not found, "PATIENCE of tests.support.waiting, or a name for what must not happen"


@pytest.mark.parametrize(
    "source",
    [
        "wait_until(lambda: ready, 60)",
        "stream.first.wait(5)",
        "asyncio.run(asyncio.wait_for(talk(), 90))",
        "process.communicate(timeout=30)",
        "time.sleep(3)",
        "def wait(self, timeout: float = 120): ...",
        "async def wait(*, seconds=1.5): ...",
    ],
)
def test_such_numbers_are_found(source: str) -> None:
    assert list(numbers(source)) == [1]


@pytest.mark.parametrize(
    "source",
    ["wait_until(ready)", "process.wait(PATIENCE)", "time.sleep(0.05)", "timedelta(seconds=46)"],
)
def test_others_are_not(source: str) -> None:
    assert list(numbers(source)) == []


def test_waiting_ends_as_soon_as_it_is_true() -> None:
    given = iter([0, "", "there"])
    assert wait_for(lambda: next(given), interval=0) == "there"
    given = iter([0, 1])
    assert wait_until(lambda: next(given), interval=0)
    assert not wait_until(lambda: False, 0)
