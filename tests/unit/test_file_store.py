"""Records in files: whose they are, what is made of broken ones, and who owns a request key."""

from __future__ import annotations

import logging
import os
import pwd
import stat
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import NotFound, UnsafeDirectory
from moonlight_spawner.model.records import Job, Stop
from moonlight_spawner.model.session import SESSION_ID, new_session_id
from moonlight_spawner.store import FileStore

from tests.support.waiting import PATIENCE

from .conftest import AsNobody, processes

ME = pwd.getpwuid(os.geteuid()).pw_name
ID = "ml-alice-abcdefghij"
BAD_IDS = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "ml-alice-abcdefghij/../../x",
    "ml-alice-abcdefghij\n",
    "ml-alice-abcdefghij\x00",
    "ml-/-abcdefghij",
    "ML-ALICE-ABCDEFGHIJ",
    "keys",
    "slots",
    "ml-" + "a" * 5000,
]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "sessions")


def test_a_part_comes_back_as_it_was_put(store: FileStore) -> None:
    assert store.get(ME, ID, "job", Job) is None
    store.put(ME, ID, "job", Job(job_id="7"))
    assert store.get(ME, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]
    store.put(ME, ID, "job", Job(job_id="8"))
    assert store.get(ME, ID, "job", Job).job_id == "8"  # type: ignore[union-attr]
    assert store.ids(ME) == [ID]


def test_what_is_written_once_stays(store: FileStore) -> None:
    assert store.put_once(ME, ID, "job", Job(job_id="7"))
    assert not store.put_once(ME, ID, "job", Job(job_id="8"))
    assert store.get(ME, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]


def test_everything_below_is_closed_to_others(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = FileStore(tmp_path / "sessions")
        store.put(ME, ID, "job", Job(job_id="7"))
        store.put_once(ME, ID, "stop", Stop())
        store.claim_key(ME, "key", ID)
    finally:
        os.umask(old)
    for directory, _, names in os.walk(store.root):
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700, directory
        for name in names:
            path = Path(directory, name)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.parametrize("session_id", BAD_IDS, ids=lambda i: ascii(i)[:30])
def test_an_id_that_is_none_names_no_path(store: FileStore, session_id: str) -> None:
    before = sorted(store.root.parent.rglob("*"))
    for attempt in (
        lambda: store.directory(session_id),
        lambda: store.get(ME, session_id, "job", Job),
        lambda: store.put(ME, session_id, "job", Job(job_id="7")),
        lambda: store.put_once(ME, session_id, "job", Job(job_id="7")),
        lambda: store.remove(ME, session_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert sorted(store.root.parent.rglob("*")) == before


def test_only_directories_named_like_ids_are_sessions(store: FileStore) -> None:
    for name in ("keys", "slots", "x", "ml-alice", ".ml-alice-abcdefghij", ID + ".bak"):
        (store.root / name).mkdir()
    assert store.ids(ME) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        b'{"job_id": 7, "submitted_at": "yesterday"}',
        b'{"job_id": null}',
        b"\xff\xfe\x00",
        b'{"job_id": "7"' + b" " * 100_000,
        b"[" * 100_000,
    ],
    ids=lambda d: ascii(d[:12]),
)
def test_a_broken_record_is_passed_over_and_told(
    store: FileStore, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store.put(ME, ID, "job", Job(job_id="7"))
    path = store.directory(ID) / "job.json"
    path.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        assert store.get(ME, ID, "job", Job) is None
    assert str(path) in caplog.text


def test_a_record_of_a_newer_version_is_read(store: FileStore) -> None:
    store.put(ME, ID, "job", Job(job_id="7"))
    path = store.directory(ID) / "job.json"
    path.write_text('{"job_id": "7", "cluster": "new", "nested": {"a": [1]}}')
    assert store.get(ME, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]


def test_another_users_sessions_are_not_there(store: FileStore) -> None:
    store.put(ME, ID, "job", Job(job_id="7"))
    assert store.get("daemon", ID, "job", Job) is None
    assert store.ids("daemon") == []
    for attempt in (
        lambda: store.put("daemon", ID, "stop", Stop()),
        lambda: store.put_once("daemon", ID, "stop", Stop()),
        lambda: store.remove("daemon", ID),
        lambda: store.claim_key("daemon", "key", ID),
        lambda: store.release_key("daemon", "key"),
    ):
        with pytest.raises(NotFound, match="not of daemon"):
            attempt()
    assert store.ids(ME) == [ID]


def test_a_place_that_somebody_took_first_is_refused(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    as_nobody("import os; os.mkdir(args[0], 0o777)", str(shared_directory / ME))
    with pytest.raises(UnsafeDirectory, match="belongs to uid"):
        FileStore(shared_directory).put(ME, ID, "job", Job(job_id="7"))
    assert list((shared_directory / ME).iterdir()) == []


def test_users_share_a_root_and_see_only_their_own(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    FileStore(shared_directory).put(ME, ID, "job", Job(job_id="7"))
    source = """
from pathlib import Path
from moonlight_spawner.model.records import Job
from moonlight_spawner.store import FileStore
store = FileStore(args[0])
store.put("nobody", args[1], "job", Job(job_id="8"))
try:
    seen = str(list(Path(args[2]).iterdir()))
except PermissionError:
    seen = "denied"
result = [store.get("nobody", args[1], "job", Job).job_id, store.get(args[3], args[1], "job", Job),
          seen]
"""
    told = as_nobody(source, str(shared_directory), ID, str(shared_directory / ME), ME)
    assert told == ["8", None, "denied"]
    assert FileStore(shared_directory).get(ME, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]


def _claim(root: Path, key: str, start: Any, answers: Any) -> None:
    store, mine = FileStore(root), new_session_id(ME)
    start.wait()
    answers.put((mine, store.claim_key(ME, key, mine)))


def test_a_key_that_twenty_processes_want_has_one_owner(tmp_path: Path) -> None:
    start, answers = processes.Event(), processes.Queue()
    crowd = [
        processes.Process(target=_claim, args=(tmp_path / "s", "key", start, answers))
        for _ in range(20)
    ]
    for process in crowd:
        process.start()
    start.set()
    told = [answers.get(timeout=PATIENCE) for _ in crowd]
    for process in crowd:
        process.join()
    owners = {owner for _, owner in told}
    assert len(owners) == 1
    assert [mine for mine, owner in told if mine == owner] == list(owners)


@pytest.mark.parametrize("key", ["../../escape", "a/b", "keys", "x" * 128, "."])
def test_a_key_names_no_path(store: FileStore, key: str) -> None:
    assert store.claim_key(ME, key, ID) == ID
    other = new_session_id(ME)
    assert store.claim_key(ME, key, other) == ID
    (path,) = (store.root / "keys").iterdir()
    assert len(path.name) == 64 and path.read_text() == ID
    store.release_key(ME, key)
    assert store.claim_key(ME, key, other) == other


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"../../etc", b"x" * 100])
def test_a_key_with_a_broken_owner_can_be_claimed(store: FileStore, data: bytes) -> None:
    store.claim_key(ME, "key", ID)
    (path,) = (store.root / "keys").iterdir()
    path.write_bytes(data)
    other = new_session_id(ME)
    assert store.claim_key(ME, "key", other) == other
    assert store.claim_key(ME, "key", ID) == other
    assert SESSION_ID.fullmatch(path.read_text())


def test_a_removed_session_is_gone_with_its_key(store: FileStore) -> None:
    kept = new_session_id(ME)
    for session_id, key in ((ID, "a"), (kept, "b")):
        store.put(ME, session_id, "job", Job(job_id="7"))
        store.claim_key(ME, key, session_id)
    (store.root / "keys" / "broken").write_bytes(b"\xff")
    store.remove(ME, ID)
    store.remove(ME, ID)
    assert store.ids(ME) == [kept]
    assert store.claim_key(ME, "a", kept) == kept
    assert store.claim_key(ME, "b", ID) == kept


def _remove(root: Path, ids: list[str], start: Any) -> None:
    store = FileStore(root)
    start.wait()
    for session_id in ids:
        store.remove(ME, session_id)


def test_two_servers_may_remove_the_same_sessions(store: FileStore) -> None:
    ids = [new_session_id(ME) for _ in range(60)]
    for number, session_id in enumerate(ids):
        store.put(ME, session_id, "stop", Stop())
        store.claim_key(ME, str(number), session_id)
    start = processes.Event()
    crowd = [processes.Process(target=_remove, args=(store.root.parent, ids, start)) for _ in "abc"]
    for process in crowd:
        process.start()
    start.set()
    for process in crowd:
        process.join()
    assert [process.exitcode for process in crowd] == [0, 0, 0]
    assert store.ids(ME) == [] and list((store.root / "keys").iterdir()) == []
