"""Bodies that nobody should have to read: refused by their head, before a byte of them has come."""

from __future__ import annotations

import pytest

from .conftest import Call

HUGE = {"Content-Length": str(300 << 20)}
ENDLESS = {"Transfer-Encoding": "chunked"}
PATHS = ["/api/moonlight/sessions", "/api/moonlight/sessions/x/clipboard", "/api/moonlight/nothing"]
PATHS += ["/moonlight/sessions/x/desktop/api/upload"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("length", [HUGE, ENDLESS], ids=["300 MB", "endless"])
async def test_of_who_is_not_logged_in(call: Call, path: str, length: dict[str, str]) -> None:
    answer = await call("POST", path, headers=length, login=False)
    assert answer.status == 403


@pytest.mark.parametrize("path", PATHS[:2])
async def test_of_the_user_if_it_is_longer_than_any_may_be(call: Call, path: str) -> None:
    method = "PUT" if path.endswith("clipboard") else "POST"
    answer = await call(method, path, headers=HUGE)
    assert answer.status == 413
    assert answer.code == ("text_too_long" if method == "PUT" else "too_large")


async def test_one_without_a_length_is_read_as_far_as_one_may_be(call: Call) -> None:
    part = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    try:
        answer = await call("POST", "/api/moonlight/sessions", headers=ENDLESS, body=part * 65)
    except (ConnectionError, AssertionError):  # closed in the middle of it
        return
    assert answer.status in (400, 413)
