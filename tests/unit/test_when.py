"""When a session may be told to begin, and where mail goes then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.records import Facts, Job
from moonlight_spawner.model.session import Resources, now
from moonlight_spawner.scheduler.base import JobRequest, Snapshot
from moonlight_spawner.scheduler.slurm import SlurmScheduler
from moonlight_spawner.sessions.derive import derive
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.request import validate_request
from moonlight_spawner.site.when import mail_to


def later(hours: int = 3) -> datetime:
    return now() + timedelta(hours=hours)


@pytest.fixture
def slurm(site: MoonlightSite) -> MoonlightSite:
    site.scheduler, site.mail, site.mail_domain = "slurm", True, "site.org"
    return site


def asked(site: MoonlightSite, **fields: Any) -> Resources:
    return validate_request(fields, site, "desktop")


def refusal(site: MoonlightSite, **fields: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        asked(site, **fields)
    assert [error.field for error in caught.value.fields] == list(fields)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        lambda: later().isoformat(),
        lambda: later().strftime("%Y-%m-%dT%H:%M:%SZ"),
        lambda: later().astimezone(timezone(timedelta(hours=9))).isoformat(),
    ],
    ids=["an offset", "Z", "another offset"],
)
def test_a_time_with_its_zone(slurm: MoonlightSite, text: Callable[[], str]) -> None:
    begin = asked(slurm, begin=text()).begin
    assert begin and abs(begin - later()) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("now+3hours", 3),
        ("now+180minutes", 3),
        ("now+10800", 3),
        ("now+1day", 24),
        ("now+2weeks", 336),
    ],
)
def test_a_time_as_slurm_counts_from_now(slurm: MoonlightSite, text: str, hours: int) -> None:
    begin = asked(slurm, begin=text).begin
    assert begin and abs(begin - later(hours)) < timedelta(minutes=2)


@pytest.mark.parametrize("text", [None, "", "now", "now+0", "2001-01-01T00:00:00Z"])
def test_what_has_passed_is_at_once(slurm: MoonlightSite, text: str | None) -> None:
    assert asked(slurm, begin=text).begin is None


@pytest.mark.parametrize(
    "text",
    [
        *("tomorrow", "16:00", "2026-11-30", "2126-11-30T10:00:00", "now+3hours "),
        *(
            "now+99999999hours",
            "now-1hour",
            "now+1hours;id",
            "--begin=now",
            7,
            True,
            ["now"],
            "x" * 999,
        ),
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_what_is_no_such_time_is_refused(slurm: MoonlightSite, text: Any) -> None:
    assert "begin is" in refusal(slurm, begin=text)


def test_how_far_ahead_is_the_sites_and_slurms(slurm: MoonlightSite) -> None:
    assert "within 14 days" in refusal(slurm, begin="now+3weeks")
    slurm.begin_days = 0
    assert "takes none" in refusal(slurm, begin="now+3hours")
    slurm.scheduler = "local"
    assert "begin at once" in refusal(slurm, begin="now+3hours")


def test_mail_is_offered_where_the_site_has_it(slurm: MoonlightSite) -> None:
    assert asked(slurm, mail=True, mail_to="a.b+c@x.org").mail_to == "a.b+c@x.org"
    refusal(slurm, mail="yes")
    slurm.mail = False
    assert "sends no mail" in refusal(slurm, mail=True)
    assert not asked(slurm, mail=False).mail


@pytest.mark.parametrize(
    "address",
    ["-x@y.org", "a@-y.org", "a,b@y.org", "a b@y.org", "a@y.org,b@y.org", "a", "@", "a@y\n", 7],
)
def test_an_address_is_one_and_no_option_of_a_mail_program(
    slurm: MoonlightSite, address: Any
) -> None:
    refusal(slurm, mail_to=address)


def test_where_mail_goes(slurm: MoonlightSite) -> None:
    assert mail_to("", "alice", slurm) == "alice@site.org"
    assert mail_to("a@b.org", "alice", slurm) == "a@b.org"
    assert mail_to("", "DOM\\alice", slurm) == "", "Slurm knows best"
    slurm.mail_domain = ""
    assert mail_to("", "alice", slurm) == ""


def test_sbatch_is_told_seconds_from_now(slurm: MoonlightSite, resources: Resources) -> None:
    wanted = resources.model_copy(update={"begin": now() + timedelta(minutes=90), "mail": True})
    request = JobRequest("ml-x", "", Path("/d"), Path("/d/log"), wanted, "a@b.org")
    argv = SlurmScheduler(slurm).sbatch(request)
    begin = next(word for word in argv if word.startswith("--begin=now+"))
    assert 5390 <= int(begin.partition("+")[2]) <= 5400
    assert "--mail-type=BEGIN" in argv and "--mail-user=a@b.org" in argv
    plain = SlurmScheduler(slurm).sbatch(JobRequest("ml-x", "", Path("/d"), Path("/l"), resources))
    assert not [word for word in plain if word.startswith(("--begin", "--mail"))]


def test_the_queue_says_that_it_waits_for_its_time(resources: Resources) -> None:
    begin = now() + timedelta(hours=1)
    facts = Facts(
        session_id="ml-alice-abcdefghij",
        user="alice",
        image_id="xfce",
        image_name="XFCE",
        host="selkies",
        scheduler="slurm",
        request=resources.model_copy(update={"begin": begin}),
    )
    info = JobInfo(job_id="7", state=JobState.PENDING, code="BeginTime", message="In a moment.")

    def queue(moment: datetime) -> tuple[str, datetime | None]:
        told = derive(
            facts, Job(job_id="7"), None, None, info, Snapshot({"7": info}), None, moment
        ).queue
        assert told
        return told.code, told.estimated_start

    assert queue(now()) == ("BeginAsked", begin)
    assert queue(begin + timedelta(seconds=1)) == ("BeginTime", None)
