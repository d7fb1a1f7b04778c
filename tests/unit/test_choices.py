"""What a user chose in the launch form is kept whole, for him alone, and lost to no second page."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import (
    ChoicesChanged,
    ChoicesUnavailable,
    InvalidRequest,
    NotFound,
    UserSideFailed,
)
from moonlight_spawner.portal import protocol
from moonlight_spawner.portal.user_side import UserSideManager
from moonlight_spawner.sessions import choices as kept_choices
from moonlight_spawner.site.choices import (
    MOST_BYTES,
    MOST_NAME_SIGNS,
    MOST_PRESETS,
    Choices,
    KeptChoices,
    validate_choices,
)
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.store.files import FileStore

PRESET = {
    "name": "유동 해석",
    "image": "desktop",
    "values": {"hours": "2,5", "keyboard": "de(nodeadkeys)"},
}
CHOSEN = {
    "image": "desktop",
    "picture": "no",
    "values": {"desktop": {"hours": "2", "width": "1920"}},
    "presets": [PRESET],
}


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "s")


def read(store: FileStore) -> KeptChoices:
    return asyncio.run(kept_choices.kept(store, store.user))


def keep(store: FileStore, revision: str, chosen: Any) -> KeptChoices:
    wish = validate_choices({"revision": revision, "choices": chosen})
    return asyncio.run(kept_choices.keep(store, store.user, *wish))


def files(store: FileStore) -> list[str]:
    return sorted(path.name for path in store.root.glob("*choices*"))


def test_what_is_kept_comes_back_and_is_the_users_alone(store: FileStore) -> None:
    assert read(store) == KeptChoices(revision="", choices=Choices())
    assert files(store) == [], "a look makes nothing"
    old = os.umask(0)
    try:
        kept = keep(store, "", CHOSEN)
    finally:
        os.umask(old)
    assert kept == read(FileStore(store.root.parent)) and kept.damaged is None
    assert json.loads(kept.choices.model_dump_json()) == CHOSEN
    assert files(store) == ["choices.json"]
    assert (store.root / "choices.json").stat().st_mode & 0o777 == 0o600


def test_of_two_pages_that_change_it_at_once_one_is_told(store: FileStore) -> None:
    first = keep(store, "", CHOSEN)
    second = keep(store, first.revision, {**CHOSEN, "presets": []})
    for revision in ("", first.revision, "0" * 32):
        with pytest.raises(ChoicesChanged) as raised:
            keep(store, revision, {"image": "gnome"})
        assert raised.value.current == second.model_dump(mode="json")
    assert read(store) == second

    async def at_once() -> list[Any]:
        made = [Choices(image=f"image-{i}") for i in range(8)]
        keeping = (
            kept_choices.keep(FileStore(store.root.parent), store.user, second.revision, one)
            for one in made
        )
        return await asyncio.gather(*keeping, return_exceptions=True)

    done = asyncio.run(at_once())
    (kept,) = [one for one in done if isinstance(one, KeptChoices)]
    assert all(isinstance(one, ChoicesChanged) for one in done if one is not kept)
    assert len(done) == 8 and read(store) == kept


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 10_000, b'{"image": 7}'),
        json.dumps({"color": "red"}).encode(),
        json.dumps({"presets": [PRESET, PRESET]}).encode(),
        b'{"image": "a"}' + b" " * MOST_BYTES,
    ],
    ids=lambda damage: repr(damage[:12]),
)
def test_a_damaged_file_is_told_and_kept_aside(store: FileStore, damage: bytes) -> None:
    file = store.root / "choices.json"
    file.write_bytes(damage)
    found = read(store)
    assert found.damaged == str(file) and found.choices == Choices()
    assert file.read_bytes() == damage, "a look changes nothing"
    with pytest.raises(ChoicesChanged):
        keep(store, "", CHOSEN)
    kept = keep(store, found.revision, CHOSEN)
    assert kept.damaged and Path(kept.damaged).read_bytes() == damage
    assert read(store) == kept.model_copy(update={"damaged": None})
    # The same once more is the same file.
    file.write_bytes(damage)
    assert keep(store, found.revision, CHOSEN).damaged == kept.damaged
    assert len(files(store)) == 2


def test_what_cannot_be_read_or_written_is_said_with_its_place(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store.root / "choices.json"
    file.mkdir()
    with pytest.raises(
        ChoicesUnavailable, match=r"choices\.json, with your choices, cannot be read"
    ):
        read(store)
    with pytest.raises(ChoicesUnavailable):
        keep(store, "", CHOSEN)
    file.rmdir()
    file.symlink_to("/etc/passwd")
    with pytest.raises(ChoicesUnavailable):
        read(store)
    file.unlink()
    before = keep(store, "", CHOSEN)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ChoicesUnavailable, match="quota"):
        keep(store, before.revision, {"image": "gnome"})
    assert read(store) == before and files(store) == ["choices.json"]


def test_another_users_are_not_here(store: FileStore) -> None:
    with pytest.raises(NotFound):
        asyncio.run(kept_choices.kept(store, "somebody"))
    with pytest.raises(NotFound):
        asyncio.run(kept_choices.keep(store, "somebody", "", Choices()))


def many(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [{**PRESET, "name": f"p{i}", **changes} for i in range(count)]


LONG = {f"field{i}": "x" * 64 for i in range(24)}


@pytest.mark.parametrize(
    "body, field",
    [
        *((body, "body") for body in (None, 7, "x", [], [CHOSEN])),
        ({}, "revision"),
        ({"revision": "", "choices": CHOSEN, "user": "root"}, "user"),
        ({"revision": "x y", "choices": CHOSEN}, "revision"),
        ({"revision": "", "choices": []}, "choices"),
        ({"revision": "", "choices": {"color": "red"}}, "choices.color"),
        *(
            ({"revision": "", "choices": {**CHOSEN, **wrong}}, f"choices.{field}")
            for wrong, field in (
                ({"image": "../x"}, "image"),
                ({"image": "a\n"}, "image"),
                ({"picture": "é"}, "picture"),
                ({"values": {"a b": {}}}, "values.a b.[key]"),
                ({"values": {"a": {"Hours": "1"}}}, "values.a.Hours.[key]"),
                ({"values": {"a": {"hours": 1}}}, "values.a.hours"),
                ({"values": {"a": {"hours": "x" * 65}}}, "values.a.hours"),
                ({"values": {"a": {**LONG, "one_more": ""}}}, "values.a"),
                ({"values": {f"a{i}": {} for i in range(51)}}, "values"),
                ({"presets": many(MOST_PRESETS + 1)}, "presets"),
                ({"presets": many(2, name="same")}, "presets"),
                # One letter in two forms.
                ({"presets": [{**PRESET, "name": n} for n in ("\u00e9", "e\u0301")]}, "presets"),
                *(
                    ({"presets": [{**PRESET, "name": name}]}, "presets.0.name")
                    for name in ("", " ", "a\u202eb", "a\nb", "\ud800", "x" * (MOST_NAME_SIGNS + 1))
                ),
            )
        ),
        ({"revision": "", "choices": {"presets": many(MOST_PRESETS, values=LONG)}}, "choices"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_of_it_is_kept(
    store: FileStore, body: Any, field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        validate_choices(body)
    assert raised.value.fields[0].field == field
    # As each door sends it.
    json.dumps([vars(fault) for fault in raised.value.fields]).encode()
    # And a file with it is a damaged one.
    if isinstance(body, dict) and isinstance(body.get("choices"), dict) and "user" not in body:
        (store.root / "choices.json").write_text(json.dumps(body["choices"]))
        assert bool(read(store).damaged) == (field != "revision")


def test_as_much_as_may_be_is_taken(store: FileStore) -> None:
    presets = many(MOST_PRESETS, values={f"field{i}": "x" * 20 for i in range(20)})
    presets[0]["name"] = "가" * MOST_NAME_SIGNS
    assert len(keep(store, "", {"presets": presets}).choices.presets) == MOST_PRESETS


def test_a_portal_believes_of_them_what_could_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"revision": "ab", "choices": CHOSEN, "damaged": None}
    answers = [
        {"kept": good},
        {"kept": good, "changed": True},
        {"kept": {**good, "choices": {"presets": many(51)}}},
        {"kept": {**good, "damaged": "x" * 9000}},
        {"kept": {**good, "choices": {**CHOSEN, "image": "<b>"}}},
        {"sessions": []},
    ]
    asked: list[Any] = []

    async def check() -> None:
        manager = UserSideManager(MoonlightSite(scheduler="local"))

        async def ask(login: str, line: bytes, limit: int) -> bytes:
            asked.append(protocol.read_request(line))
            return protocol.as_line(answers[0])

        monkeypatch.setattr(manager._sides, "ask", ask)
        wish = {"revision": "", "choices": CHOSEN}
        kept = await manager.keep_choices("nobody", wish)
        assert kept == await manager.choices("nobody") == KeptChoices.model_validate(good)
        answers.pop(0)
        with pytest.raises(ChoicesChanged) as raised:
            await manager.keep_choices("nobody", wish)
        assert raised.value.current == good
        while len(answers) > 1:
            answers.pop(0)
            with pytest.raises(UserSideFailed):
                await manager.choices("nobody")
        count = len(asked)
        with pytest.raises(InvalidRequest):
            await manager.keep_choices("nobody", {"revision": "", "choices": 7})
        assert len(asked) == count, "what is wrong needs no process to be told so"
        await manager.close()

    asyncio.run(check())
    assert asked[0].body == {"revision": "", "choices": CHOSEN}
