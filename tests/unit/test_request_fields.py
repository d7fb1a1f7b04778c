"""Every field of a request: wrong types, wrong sizes, and what has no business in a request."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from moonlight_spawner.model.errors import FieldError, InvalidRequest
from moonlight_spawner.model.session import Resources
from moonlight_spawner.model.texts import json_of
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.request import keyboards, limits, validate_request

NUMBERS = ("hours", "cpus", "memory_gb", "gpus", "fps", "bitrate_kbps")
WHOLE = ("cpus", "gpus", "fps", "bitrate_kbps")
TEXTS = ("image", "resolution", "keyboard")
HUGE = "x" * 2**20
_AT_ONCE = {"begin": None, "mail": False, "mail_to": ""}  # what is other is in test_when.py

HOSTILE = [
    "; rm -rf ~",
    "$(id)",
    "`id`",
    "desktop && id",
    "desktop|id",
    "desktop\nid",
    "desktop\n",
    "desktop\x00",
    "'desktop'",
    '"desktop"',
    "../desktop",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    " desktop",
    "--nv",
    "Desktop",
    "дesktop",
    "desktop٣",
    "desktop\u200b",
    "\U0001f4a5",
    HUGE,
]


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def refusal(body: Any, site: MoonlightSite) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        validate_request(body, site, "desktop")
    return caught.value


def only_error(field: str, value: Any, site: MoonlightSite) -> FieldError:
    """The one error of a request in which this field is wrong, fit to be shown and sent."""
    refused = refusal({field: value}, site)
    assert [error.field for error in refused.fields] == [field]
    error = refused.fields[0]
    assert field in error.message
    assert len(error.message) < 300
    assert error.message in str(refused)
    sent = json.dumps([error.value, error.message], allow_nan=False)  # as an API has to send it
    assert len(sent) < 500
    return error


def test_an_empty_request_gets_the_sites_defaults(site: MoonlightSite) -> None:
    resources = validate_request({}, site, "desktop")
    assert resources.model_dump() == {
        "image": "desktop",
        "hours": 4.0,
        "cpus": 3,
        "memory_gb": 5.0,
        "gpus": 1,
        "resolution": "1280x720",
        "follow_window": True,
        "fps": 30,
        "bitrate_kbps": 20000,
        "keyboard": "us",
        "host": "auto",
        "picture": True,
        **_AT_ONCE,
    }


def test_a_full_request_is_taken_as_it_is(site: MoonlightSite) -> None:
    body = {
        "image": "gnome_lsprepost",
        "hours": 0.5,
        "cpus": 24,
        "memory_gb": 1.5,
        "gpus": 0,
        "resolution": "2560x1440",
        "follow_window": True,
        "fps": 10,
        "bitrate_kbps": 500,
        "keyboard": "kr",
        "host": "sunshine",
        "picture": False,
        **_AT_ONCE,
    }
    assert validate_request(body, site, "desktop").model_dump() == body


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "value", ["4", "four", "", None, [], [4], {}, {"a": 1}, True, False, b"4", "٤", "４"]
)
def test_what_is_no_number_is_refused(field: str, value: Any, site: MoonlightSite) -> None:
    error = only_error(field, value, site) if not isinstance(value, bytes) else None
    if error is None:
        assert field in str(refusal({field: value}, site))
    else:
        assert "must be a" in error.message


@pytest.mark.parametrize("field", ("image", "cpus", "resolution", "keyboard"))
def test_what_is_nested_deeper_than_python_can_print_is_refused(
    field: str, site: MoonlightSite
) -> None:
    only_error(field, nested(100_000), site)
    with pytest.raises(ValueError, match="nested too deeply"):
        json_of(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(field: str, value: float, site: MoonlightSite) -> None:
    only_error(field, value, site)


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [-1, 10**9, 10**30, 10**400, -(10**400), 10**4000],
    ids=lambda v: f"{len(str(v))}digits",
)
def test_whole_numbers_out_of_range_are_refused(
    field: str, value: int, site: MoonlightSite
) -> None:
    error = only_error(field, value, site)
    limit = limits(site)[field]
    assert f"{limit['min']:g} to {limit['max']:g}" in error.message


@pytest.mark.parametrize("field", ["hours", "memory_gb"])
@pytest.mark.parametrize("value", [1e308, -0.0, -1e-9, 1e-9, 5e-324])
def test_fractions_out_of_range_are_refused(field: str, value: float, site: MoonlightSite) -> None:
    limit = limits(site)[field]
    assert f"{limit['min']:g} to {limit['max']:g}" in only_error(field, value, site).message


@pytest.mark.parametrize("field", NUMBERS)
def test_the_limits_themselves_are_allowed_and_the_next_value_is_not(
    field: str, site: MoonlightSite
) -> None:
    limit = limits(site)[field]
    step: float = 1 if field in WHOLE else 0.001
    kind = int if field in WHOLE else float
    for edge, beyond in ((limit["min"], -step), (limit["max"], step)):
        taken = validate_request({field: kind(edge)}, site, "desktop")
        assert getattr(taken, field) == edge
        error = only_error(field, kind(edge) + beyond, site)
        assert f"{limit['min']:g} to {limit['max']:g}" in error.message


@pytest.mark.parametrize("field", WHOLE)
@pytest.mark.parametrize("value", [1.5, 2.0000000001])
def test_fractions_of_whole_things_are_refused(
    field: str, value: float, site: MoonlightSite
) -> None:
    assert "whole number" in only_error(field, value, site).message


@pytest.mark.parametrize("field", WHOLE)
def test_a_whole_number_may_be_written_with_a_point(field: str, site: MoonlightSite) -> None:
    """To JSON, and to JSON Schema, 30.0 is the integer 30."""
    most = limits(site)[field]["max"]
    taken = getattr(validate_request({field: float(most)}, site, "desktop"), field)
    assert taken == most and isinstance(taken, int)
    assert "allows" in only_error(field, 1e308, site).message


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize(
    "value",
    [1, 1.5, True, None, [], ["desktop"], {}, math.nan, 10**4000],
    ids=lambda v: str(v)[:12],
)
def test_what_is_no_text_is_refused(field: str, value: Any, site: MoonlightSite) -> None:
    only_error(field, value, site)


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda v: ascii(v)[:24])
def test_hostile_text_is_refused(field: str, value: str, site: MoonlightSite) -> None:
    only_error(field, value, site)


@pytest.mark.parametrize(
    "value",
    [
        "1920",
        "1920x",
        "x1080",
        "1920X1080",
        "1920×1080",
        "1920x1080x24",
        " 1920x1080",
        "1920x1080\n",
        "0920x1080",
        "+920x1080",
        "-1920x-1080",
        "1e3x1000",
        "١٩٢٠x١٠٨٠",
        "1920x1080;id",
        "9" * 100 + "x1080",
    ],
)
def test_a_malformed_resolution_is_refused(value: str, site: MoonlightSite) -> None:
    assert "1920x1080" in only_error("resolution", value, site).message


def test_who_names_a_size_wants_that_one(site: MoonlightSite) -> None:
    def follows(**body: Any) -> bool:
        return validate_request(body, site, "desktop").follow_window

    assert follows()
    assert not follows(resolution="1280x720")
    assert follows(resolution="1280x720", follow_window=True)
    assert not follows(follow_window=False)


@pytest.mark.parametrize("value", ["yes", 1, 0, None, []])
def test_a_screen_follows_or_does_not_and_has_a_picture_or_none(
    value: Any, site: MoonlightSite
) -> None:
    for field in ("follow_window", "picture"):
        assert "true or false" in only_error(field, value, site).message


@pytest.mark.parametrize("value", ["639x720", "1280x479", "2561x1440", "2560x1441", "99999x99999"])
def test_a_screen_out_of_range_is_refused_with_the_range(value: str, site: MoonlightSite) -> None:
    error = only_error("resolution", value, site)
    assert value in error.message
    assert "640x480 to 2560x1440" in error.message


@pytest.mark.parametrize(
    "name", ["qos", "gres", "prologue", "Hours", "hours ", "__class__", HUGE], ids=lambda n: n[:12]
)
def test_an_unknown_field_is_named_with_the_known_ones(name: str, site: MoonlightSite) -> None:
    refused = refusal({name: "moonlight"}, site)
    (error,) = refused.fields
    assert len(error.field) <= 61 and name.startswith(error.field.rstrip("…"))
    assert "image, hours, cpus, memory_gb, gpus, resolution, fps" in error.message
    assert len(str(refused)) < 400


@pytest.mark.parametrize("value", ["jp", "de", "de(neo)", "us,kr", "US", "kr(kr104)", "(kr)"])
def test_only_a_layout_that_the_site_offers_is_taken(value: str, site: MoonlightSite) -> None:
    site.keyboard, site.keyboards = "fr", ["us", "fr", "de(nodeadkeys)"]
    assert keyboards(site) == ["fr", "us", "de(nodeadkeys)"]
    for layout in keyboards(site):
        assert validate_request({"keyboard": layout}, site, "desktop").keyboard == layout
    assert validate_request({}, site, "desktop").keyboard == "fr"
    assert "one of fr, us, de(nodeadkeys)" in only_error("keyboard", value, site).message


def test_the_sites_layout_is_offered_whatever_the_others_are(site: MoonlightSite) -> None:
    site.keyboard, site.keyboards = "kr(kr104)", []
    assert keyboards(site) == ["kr(kr104)"]
    assert validate_request({}, site, "desktop").keyboard == "kr(kr104)"
    only_error("keyboard", "us", site)


def test_the_sites_own_bitrate_and_its_limit_hold(site: MoonlightSite) -> None:
    site.bitrate_kbps, site.max_bitrate_kbps = 4000, 8000
    assert validate_request({}, site, "desktop").bitrate_kbps == 4000
    assert validate_request({"bitrate_kbps": 8000}, site, "desktop").bitrate_kbps == 8000
    assert "500 to 8000" in only_error("bitrate_kbps", 8001, site).message


def test_a_request_that_an_older_version_wrote_is_read(site: MoonlightSite) -> None:
    written = validate_request({}, site, "desktop").model_dump()
    del written["bitrate_kbps"], written["keyboard"]
    read = Resources.model_validate(written)
    assert (read.bitrate_kbps, read.keyboard) == (20000, "us")


def test_every_wrong_field_is_named_at_once(site: MoonlightSite) -> None:
    body = {"hours": "x", "cpus": 0, "image": "..", "fps": 1.5, "qos": "root", "gpus": 1}
    assert [e.field for e in refusal(body, site).fields] == ["qos", "image", "hours", "cpus", "fps"]


def test_a_million_unknown_fields_make_no_long_answer(site: MoonlightSite) -> None:
    refused = refusal({f"f{i}": i for i in range(100_000)}, site)
    assert 1 <= len(refused.fields) <= 30


@pytest.mark.parametrize(
    "body",
    [None, [], [{}], "{}", 1, True, HUGE, [HUGE], b"{}", math.nan],
    ids=lambda b: str(b)[:12],
)
def test_a_body_that_is_no_object_is_refused(body: Any, site: MoonlightSite) -> None:
    (error,) = refusal(body, site).fields
    assert error.field == "body"
    assert len(str(error.value)) <= 61
    assert "JSON object" in error.message


def test_a_site_that_allows_no_gpu_refuses_one(site: MoonlightSite) -> None:
    site.max_gpus = site.gpus = 0
    assert "allows 0 to 0" in only_error("gpus", 1, site).message
    assert validate_request({}, site, "desktop").gpus == 0


def test_a_site_with_short_sessions_only_can_still_be_used(site: MoonlightSite) -> None:
    site.max_hours = site.hours = 0.05
    assert validate_request({}, site, "desktop").minutes == 3
