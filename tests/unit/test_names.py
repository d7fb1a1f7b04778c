"""Session ids, login names and idempotency keys: what may become a path, a job name, a header."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest
from moonlight_spawner.model.account import path_name
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.session import SESSION_ID, new_session_id
from moonlight_spawner.site.request import validate_request_key, validate_user

ODD_USERS = [
    "alice",
    "Alice.B",
    "alice@EXAMPLE.ORG",
    "a" * 256,
    "machine$",
    "_svc",
    ".hidden",
    "-rf",
    "../../etc",
    "a/b",
    "a b",
    "a\nb",
    "관리자",
    "é",
    "",
    "....",
    "----",
]


@pytest.mark.parametrize("user", ODD_USERS)
def test_an_id_of_any_user_is_safe_as_path_job_name_and_url(user: str) -> None:
    session_id = new_session_id(user)
    assert SESSION_ID.fullmatch(session_id)
    assert session_id.startswith("ml-")
    assert len(session_id) <= 3 + 32 + 11
    assert set(session_id) <= set(string.ascii_lowercase + string.digits + "._-")


def test_an_id_shows_whose_it_is() -> None:
    assert new_session_id("alice.b").rpartition("-")[0] == "ml-alice.b"


def test_ids_of_one_user_differ() -> None:
    assert len({new_session_id("alice") for _ in range(20_000)}) == 20_000


def test_ids_of_random_users_are_valid() -> None:
    alphabet = string.printable + "äß日本\u0660\U0001f600"
    chance = random.Random(7)
    for _ in range(5_000):
        user = "".join(chance.choices(alphabet, k=chance.randrange(60)))
        assert SESSION_ID.fullmatch(new_session_id(user)), user


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ml-alice-abcdefghi",
        "ml-alice-abcdefghijk",
        "ml-alice-abcdefghi1",
        "ml-alice-ABCDEFGHIJ",
        "ml--abcdefghij",
        "ml-.-abcdefghij",
        "ml-a/b-abcdefghij",
        "ml-../x-abcdefghij",
        "ml-alice-abcdefghij\n",
        "\nml-alice-abcdefghij",
        "ml-alice-abcdefghij/..",
        "ml-alice-abcdefghij\x00",
        "ml-" + "a" * 33 + "-abcdefghij",
        "../ml-alice-abcdefghij",
        "ml-٣-abcdefghij",
    ],
)
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert not SESSION_ID.fullmatch(text)


ACCOUNTS = [
    *(
        "alice",
        "Alice.B",
        "_svc",
        "a@EXAMPLE.ORG",
        "host$",
        "a" * 200,
        "20231234",
        "9lab",
        "1a",
        "é",
    ),
    *("dom+user", "DOM\\user", "first last", "홍길동", "\\xb0", "a,b", "a=b", "=", "a;id", "$(id)"),
    *("a/b", "..", "../a", ".", "a$$", "a" * 256, "x" + "a" * 255, "홍" * 85, "길" * 85),
]


@pytest.mark.parametrize("user", ACCOUNTS)
def test_login_names(user: str) -> None:
    assert validate_user(user) == user


@pytest.mark.parametrize(
    "user",
    ["", "-rf", "a:b", "a\n", "a\x00", "a\x7f", "a" * 300],
)
def test_what_is_no_login_name(user: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_user(user)
    assert caught.value.fields[0].field == "user"
    assert "\n" not in str(caught.value) and "\x00" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_two_users_never_share_a_directory(tmp_path: Path) -> None:
    names = [path_name(user) for user in ACCOUNTS]
    assert len(set(names)) == len(set(ACCOUNTS))
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_=@+$][A-Za-z0-9_=@+.$-]*", name)
        (tmp_path / f"{name}_{'i' * 64}").mkdir()  # as in sandboxes_dir: a file system takes it
    assert [path_name(u) for u in ("alice", "Alice.B", "a@E.ORG", "dom+user", "9lab")] == [
        *("alice", "Alice.B", "a@E.ORG", "dom+user", "9lab")
    ]
    assert path_name("b\udcb0") == "b=B0"  # bytes that are no UTF-8


@pytest.mark.parametrize("key", ["a", "5f0c3c9e-7b0a-4a57-9a62-0a5f0f8e8a11", "x" * 128, "../../x"])
def test_request_keys(key: str) -> None:
    assert validate_request_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "a b", "a\n", "a\r\nX: y", "x" * 129, "é", "a\x00", "\t"])
def test_what_is_no_request_key(key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_request_key(key)
    assert caught.value.fields[0].field == "Idempotency-Key"
    assert len(str(caught.value.fields[0].value)) <= 61


def test_no_request_key_at_all() -> None:
    assert validate_request_key(None) is None
