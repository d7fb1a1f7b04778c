"""`moonlight-hpc report`: what Slurm's accounting says, read and summed up."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from moonlight_spawner.cli import main
from moonlight_spawner.cli.report import _draw
from moonlight_spawner.model.errors import SchedulerUnavailable
from moonlight_spawner.model.limits import IDLE_MARK
from moonlight_spawner.scheduler.slurm_accounting import Used, comment, failed, parse
from moonlight_spawner.scheduler.usage import figures

MARK = "<mark>"
NAME = "ml-alice-4k7q2mzj5a"
HOUR = 3600.0


def line(*fields: str) -> str:
    return "".join(field + MARK for field in fields) + "\n"


def job(
    user: str = "alice",
    state: str = "COMPLETED",
    start: str = "160",
    tres: str = "billing=1,cpu=1,gres/gpu=2,mem=1G,node=1",
    name: str = NAME,
    said: str = "",
    limit: str = "480",
    submitted_by: str = "sbatch --comment=moonlight:image=xfce",
) -> str:
    return line(user, state, "100", start, "3760", limit, tres, name, said, submitted_by)


def at(month: int, day: int) -> datetime:
    return datetime(2026, month, day).astimezone()


def used(submitted: float, started: float | None, ended: float | None, **more: object) -> Used:
    values = {"user": "alice", "image": "xfce", "state": "COMPLETED", "gpus": 1, **more}
    return Used(submitted=submitted, started=started, ended=ended, **values)  # type: ignore[arg-type]


def test_a_job_is_read() -> None:
    assert list(parse(job(), MARK, every=False)) == [
        Used("alice", "xfce", "COMPLETED", 2, 100.0, 160.0, 3760.0)
    ]


def test_the_comment_counts_before_the_command_line() -> None:
    (one,) = parse(job(said=comment("rocky9")), MARK, every=False)
    assert one.image == "rocky9"
    (one,) = parse(job(submitted_by="sbatch x"), MARK, every=False)
    assert one.image == "unknown"


def test_what_was_given_back_is_what_was_left_of_the_limit() -> None:
    idle = f"{comment('xfce')} {IDLE_MARK}"
    (one,) = parse(job(said=idle), MARK, every=False)
    assert (one.given_back, one.commented, one.image) == (8 * HOUR - 3600, True, "xfce")
    for said, limit in ((comment("xfce"), "480"), (idle, "UNLIMITED"), (f"x{IDLE_MARK}", "480")):
        (one,) = parse(job(said=said, limit=limit), MARK, every=False)
        assert one.given_back is None
    since, until = at(10, 1), at(11, 1)
    begin = since.timestamp()
    jobs = [
        used(begin, begin, begin + HOUR, gpus=2, given_back=7 * HOUR, commented=True),
        used(begin, begin - HOUR, begin - 60, given_back=7 * HOUR),  # ended before
        used(begin, begin, begin + HOUR),
    ]
    total = figures(jobs, since, until, "user", begin + 9 * HOUR)[-1]
    assert (total.ended_idle, total.saved_gpu_hours) == (1, 14.0)
    total = figures(jobs[1:], since, until, "user", begin + 9 * HOUR)[-1]
    assert (total.ended_idle, total.saved_gpu_hours) == (None, None), "no comments are kept"


@pytest.mark.parametrize("words", ["x\ny|z", job(user="bob"), "a\x00\x1f<other>", "\n\n"])
def test_no_name_comment_or_line_of_a_user_is_taken_for_another_job(words: str) -> None:
    """They may hold any character; the mark alone is nobody's to know."""
    words = words.replace(MARK, "|")
    text = job(name=words, said=words, submitted_by=words) + job(user="carol")
    users = [one.user for one in parse(text, MARK, every=True)]
    assert users == ["alice", "carol"]


def test_jobs_that_are_no_sessions_count_only_where_the_qos_says_what_they_are() -> None:
    text = job(name="train") + job(user="bob") + job()  # the second has alice's form
    assert len(list(parse(text, MARK, every=False))) == 1
    assert len(list(parse(text, MARK, every=True))) == 3


def test_what_has_not_come_yet_is_none_and_kinds_of_gpus_are_added() -> None:
    (one,) = parse(job(start="Unknown", tres=""), MARK, every=False)
    assert (one.started, one.gpus) == (None, 0)
    (one,) = parse(job(tres="cpu=1,gres/gpu:a100=2,gres/gpu:t4=1"), MARK, every=False)
    assert one.gpus == 3
    (one,) = parse(job(tres="gres/gpu:a100=2,gres/gpu=2"), MARK, every=False)
    assert one.gpus == 2


@pytest.mark.parametrize("text", ["alice<mark>", job() + "sacct: error: x\n", job()[8:]])
def test_what_is_not_understood_whole_is_no_answer(text: str) -> None:
    with pytest.raises(SchedulerUnavailable, match="cannot be read"):
        list(parse(text, MARK, every=False))


@pytest.mark.parametrize(
    ("state", "fails"),
    [
        *(("FAILED", True), ("NODE_FAIL", True), ("OUT_OF_MEMORY", True), ("BOOT_FAIL", True)),
        *(("CANCELLED", False), ("TIMEOUT", False), ("COMPLETED", False), ("RUNNING", False)),
    ],
)
def test_failures_are_what_nobody_wanted(state: str, fails: bool) -> None:
    said = "CANCELLED by 1001" if state == "CANCELLED" else state
    (one,) = parse(job(state=said), MARK, every=False)
    assert (one.state, failed(one)) == (state, fails)


def test_hours_are_those_within_the_time_and_waits_those_of_its_sessions() -> None:
    since, until = at(10, 1), at(11, 1)
    begin, end = since.timestamp(), until.timestamp()
    jobs = [
        used(begin - 5 * HOUR, begin - 2 * HOUR, begin + HOUR, gpus=2),  # from before: 1 h
        used(begin + HOUR, begin + 2 * HOUR, begin + 4 * HOUR, user="bob", state="FAILED"),  # 2 h
        used(end - HOUR, end - 0.5 * HOUR, None, gpus=0),  # still runs: half an hour
        used(end - 60, None, None),  # waits
    ]
    rows = {f.group: f for f in figures(jobs, since, until, "user", end + HOUR)}
    total = rows["total"]
    assert (total.sessions, total.hours, total.gpu_hours, total.failures) == (3, 3.5, 4.0, 1)
    assert (total.wait_median_minutes, total.wait_longest_minutes) == (45.0, 60.0)
    assert (rows["alice"].sessions, rows["alice"].gpu_hours) == (2, 2.0)
    assert (rows["bob"].sessions, rows["bob"].failures) == (1, 1)


def test_a_job_over_the_end_of_a_month_is_shared_between_both() -> None:
    since, until = at(10, 15), at(12, 2)
    turn = at(11, 1).timestamp()
    jobs = [used(turn - 2 * HOUR, turn - HOUR, turn + 3 * HOUR)]
    rows = figures(jobs, since, until, "month", until.timestamp())
    assert [(r.group, r.sessions, r.hours) for r in rows] == [
        *(("2026-10", 1, 1.0), ("2026-11", 0, 3.0), ("2026-12", 0, 0.0), ("total", 1, 4.0))
    ]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--since", "yesterday"], "is no date"),
        (["--since", "2026-11-02", "--until", "2026-11-01"], "is before --since"),
        (["--since", "2026-11-01", "--plot", "x.pdf"], ".png or .svg"),
    ],
)
def test_a_wrong_use_is_said(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(["report", *argv])
    except SystemExit as e:
        status = int(str(e.code))
    assert status == 2
    assert words in capsys.readouterr().err


def test_without_accounting_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sacct = tmp_path / "sacct"  # as Slurm's says it
    sacct.write_text("#!/bin/sh\necho 'Slurm accounting storage is disabled' >&2\nexit 1\n")
    sacct.chmod(0o755)
    monkeypatch.setenv("MOONLIGHT_HPC_SCHEDULER", "slurm")
    monkeypatch.setenv("MOONLIGHT_HPC_SLURM_BIN", str(tmp_path))
    assert main(["report", "--since", "2026-11"]) == 1
    assert "keeps no accounting" in capsys.readouterr().err
    sacct.unlink()
    assert main(["report", "--since", "2026-11"]) == 1
    assert "no sacct here" in capsys.readouterr().err


def test_a_picture_has_room_for_whatever_jobs_say_that_they_were(tmp_path: Path) -> None:
    """A user's jobs may name as many images as he likes; no picture has 65,536 lines."""
    said = [used(at(11, 1).timestamp(), None, None, image=f"i{n}") for n in range(1000)]
    ran = at(11, 2).timestamp()
    said.append(used(ran, ran, ran + HOUR, image="rocky$x^$"))
    rows = figures(said, at(11, 1), at(12, 1), "image", ran + HOUR)
    file = tmp_path / "used.svg"
    _draw(rows, "a title", file)
    drawn = file.read_text("utf-8")
    assert "rocky$x^$" in drawn, "no sign of a name means something"
    assert "942 others" in drawn


def test_an_image_is_called_as_images_are() -> None:
    for name in ("-1+1", "=cmd", "."):
        (one,) = parse(job(said=comment(name), submitted_by="x"), MARK, every=False)
        assert one.image == "unknown", "a spreadsheet takes it for a sum"
