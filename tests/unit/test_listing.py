"""Which sessions a query asks for: filters, pages, and that a wrong one is named."""

from __future__ import annotations

import gc
import json
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs

import pytest
from moonlight_jupyter.base import ManagerMixin
from moonlight_jupyter.listing import MOST, Listing
from moonlight_jupyter.written import _written as kept
from moonlight_jupyter.written import written
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.session import Resources, Session, State, newest_first, now

_REQUEST = Resources(image="a", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30)


def session(number: int, state: State, image: str = "a", door: str = "cli") -> Session:
    return Session(
        session_id=f"ml-alice-{number:010d}",
        user="alice",
        image_id=image,
        image_name=image,
        status=state,
        host="selkies",
        request=_REQUEST,
        scheduler="slurm",
        door=door,
        created_at=now(),
    )


ALL = [
    session(0, State.RUNNING),
    session(1, State.PENDING, image="b"),
    session(2, State.FAILED, door="jupyterlab"),
    session(3, State.RUNNING, image="b", door="jupyterlab"),
    session(4, State.COMPLETED, door=""),
]


def found(**query: str | list[str]) -> list[int]:
    values = {name: [value] if isinstance(value, str) else value for name, value in query.items()}
    return [int(s.session_id[-10:]) for s in Listing.read(values).page(ALL).sessions]


def test_without_a_filter_all_are_listed() -> None:
    assert found() == [0, 1, 2, 3, 4]


def test_each_filter_leaves_what_it_names() -> None:
    assert found(state="running") == [0, 3]
    assert found(state=["pending", "failed"]) == [1, 2]
    assert found(image="b") == [1, 3]
    assert found(door="jupyterlab") == [2, 3]
    assert found(live="true") == [0, 1, 3] and found(live="false") == [2, 4]
    assert found(image="b", door="jupyterlab", live="true") == [3]
    assert found(image="none") == []


def test_pages_join_to_the_whole() -> None:
    query, seen = "limit=2&live=true", list[str]()
    while query:
        listing = Listing.read(parse_qs(query))
        page = listing.page(ALL)
        assert page.total == 3 and len(page.sessions) <= 2
        seen += [s.session_id for s in page.sessions]
        query = "" if page.next is None else listing.query(page.next)
    assert seen == [ALL[n].session_id for n in (0, 1, 3)]


def test_the_next_page_is_asked_for_with_the_same_filters() -> None:
    listing = Listing.read({"state": ["running", "failed"], "image": ["a"], "limit": ["1"]})
    assert parse_qs(listing.query(1, user="al ice&x")) == {
        "state": ["running", "failed"],
        "image": ["a"],
        "limit": ["1"],
        "offset": ["1"],
        "user": ["al ice&x"],
    }


def test_behind_the_end_there_is_an_empty_page() -> None:
    page = Listing.read({"limit": ["3"], "offset": ["9"]}).page(ALL)
    assert (page.sessions, page.total, page.next) == ([], 5, None)
    assert Listing.read({"limit": ["3"], "offset": ["2"]}).page(ALL).next is None


def test_a_limit_of_the_callers_counts_where_the_query_has_none() -> None:
    assert Listing.read({}, limit=2).page(ALL).next == 2
    assert Listing.read({"limit": ["4"]}, limit=2).page(ALL).next == 4


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(("state", [value]) for value in ("", "Running", "running ", "running,failed", "ended")),
        ("state", ["running", "x"]),
        ("state", ["running"] * 17),
        *(("image", [value]) for value in ("", "..", "A", "a\n", "x" * 65, "a/b", "ä")),
        *(("door", [value]) for value in ("", "CLI", "a b", "x" * 33)),
        *(("live", [value]) for value in ("", "1", "True", "yes")),
        ("live", ["true", "true"]),
        *(("limit", [value]) for value in ("", "0", "-1", "1.0", "x", "²", "9" * 5000)),
        ("limit", [str(MOST + 1)]),
        ("limit", ["1", "2"]),
        *(("offset", [value]) for value in ("", "-1", "1e3", str(10**6 + 1))),
    ],
)
def test_what_is_wrong_is_named(name: str, values: list[str]) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        Listing.read({name: values, "image" if name != "image" else "door": ["a"]})
    assert [field.field for field in wrong.value.fields] == [name]
    assert len(wrong.value.message) < 250 and name in wrong.value.message


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidRequest) as wrong:
        Listing.read({"live": ["x"], "limit": ["x"], "state": ["x"]})
    assert [field.field for field in wrong.value.fields] == ["state", "live", "limit"]


def test_a_list_is_json_with_the_addresses_and_ends_no_script() -> None:
    made = session(7, State.RUNNING, image="</script> é")

    class Server(ManagerMixin):
        base_url = "/b/"

    server = Server()
    text = server.list_as_json([made, made])
    page = "/b/moonlight/sessions/ml-alice-0000000007/"
    one = {
        **json.loads(made.model_dump_json()),
        "web_url": page,
        "stream_url": page + "desktop/",
    }
    assert json.loads(text) == {"sessions": [one, one]}
    assert "</" not in text and json.loads(server.list_as_json([])) == {"sessions": []}


def test_a_session_is_written_once_and_another_one_anew() -> None:
    made = session(8, State.RUNNING)
    text = written(made, "/b/")
    assert written(made, "/b/") is text
    assert "/c/moonlight/" in written(made, "/c/") and written(made, "/b/") == text
    later = made.model_copy(update={"status": State.STOPPING})
    assert json.loads(written(later, "/b/"))["status"] == "stopping"
    keys = {id(made), id(later)}
    assert keys <= set(kept)
    del made, later
    gc.collect()
    assert not keys & set(kept), "what nobody has is not kept"


def test_newest_first_in_whatever_zone_a_time_is() -> None:
    begun = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
    zones = [timezone.utc, timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))]
    made = [session(i, State.RUNNING) for i in range(6)]
    for i, one in enumerate(made):
        one.created_at = (begun + timedelta(seconds=i // 2)).astimezone(zones[i % 3])
    mixed = [made[i] for i in (3, 0, 5, 2, 4, 1)]
    assert newest_first(mixed) == made[::-1]
