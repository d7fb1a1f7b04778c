"""Bodies that nobody should have to read: refused by their head, before a byte of them has come."""

from __future__ import annotations

import pytest

from .conftest import Call

HUGE = {"Content-Length": str(300 << 20)}
ENDLESS = {"Transfer-Encoding": "chunked"}
PART = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
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


@pytest.mark.parametrize("path", PATHS[:2])
async def test_one_that_does_not_say_its_length_is_answered(call: Call, path: str) -> None:
    """All of it is read, so that the answer arrives, and no more of it is kept than may be."""
    method, code = ("PUT", "text_too_long") if path.endswith("d") else ("POST", "too_large")
    answer = await call(method, path, headers=ENDLESS, body=PART * 65 + b"0\r\n\r\n")
    if path.endswith("clipboard"):
        assert answer.status == 404, "there is no such session, whatever is sent"
    else:
        assert (answer.status, answer.code) == (413, code) and answer.json["message"]


async def test_one_without_an_end_is_cut_off(call: Call) -> None:
    try:
        answer = await call("POST", PATHS[0], headers=ENDLESS, body=PART * 1040)
    except (ConnectionError, AssertionError):  # closed in the middle of it
        return
    assert answer.status == 400
