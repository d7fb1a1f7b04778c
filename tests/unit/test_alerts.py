"""The shipped alerts, evaluated by Prometheus's own promtool: each is raised by what it is for, and by
nothing on a portal that is well or nearly so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from moonlight_jupyter.portal.metrics import _ANSWERS, _LAUNCHES

from tests.cluster.packages import SEARCH_PATH

PROMETHEUS = Path(__file__).resolve().parents[2] / "deploy/prometheus"
RULES = PROMETHEUS / "moonlight-hpc.rules.yml"
JOB = "moonlight-hpc"

Series = dict[str, str]


def _named(metric: str, instance: str, **labels: str) -> str:
    pairs = {"job": JOB, "instance": instance, **labels}
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"


def _histogram(
    metric: str, instance: str, seconds: float, buckets: tuple[float, ...], **labels: str
) -> Series:
    """As many as one each 15 s, of so many seconds each. Ended buckets have none, and stay at 0."""
    each, none = "0+1x240", "0x240"
    told = {
        _named(f"{metric}_bucket", instance, le=f"{float(le)}", **labels): (
            each if seconds <= le else none
        )
        for le in buckets
    }
    told[_named(f"{metric}_bucket", instance, le="+Inf", **labels)] = each
    told[_named(f"{metric}_count", instance, **labels)] = each
    return told


def _launches(desktop: float) -> Series:
    """Two services that see the same launches: all steps are quick but the desktop's."""
    told: Series = {}
    for instance in ("a", "b"):
        for step, seconds in (("claim", 0.1), ("desktop", desktop), ("all", 900.0)):
            told |= _histogram(
                "moonlight_launch_step_seconds", instance, seconds, _LAUNCHES, step=step
            )
    return told


def _slurm(seconds: float) -> Series:
    told: Series = {}
    for instance, command in (("a", "squeue"), ("b", "squeue"), ("a", "sacct")):
        took = seconds if command == "squeue" else 0.2
        labels = {"command": command, "result": "done"}
        told |= _histogram("moonlight_slurm_seconds", instance, took, _ANSWERS, **labels)
    return told


def _count(metric: str, values: str, instance: str = "a", **labels: str) -> Series:
    return {_named(metric, instance, **labels): values}


def _failures(values: str, reason: str = "DesktopEnded") -> Series:
    told: Series = {}
    for instance in ("a", "b"):
        told |= _count("moonlight_session_failures_total", values, instance, reason=reason)
    return told


def _sides(done: str, failed: str) -> Series:
    metric = "moonlight_user_side_seconds_count"
    told = _count(metric, done, operation="records", result="done")
    return told | _count(metric, failed, operation="records", result="failed")


def _redis(failed: str) -> Series:
    metric = "moonlight_redis_seconds_count"
    told = _count(metric, "0+9x240", operation="versions", result="done")
    return told | _count(metric, failed, operation="versions", result="failed")


# Values each 15 s, for an hour; promtool's own words: 3x5 is six times 3, 0+1x5 grows by 1, _ is no value.
WELL: Series = {
    **_count("up", "1x240"),
    **_failures("2x240"),
    **_launches(3.0),
    **_slurm(0.3),
    **_redis("0x240"),
    **_sides("0+4x240", "1x240"),
}
RAISED: dict[str, list[tuple[Series, dict[str, str]]]] = {
    "MoonlightServiceDown": [
        (_count("up", "1x200 0x40"), {"job": JOB, "instance": "a"}),
    ],
    "MoonlightLaunchesFail": [
        (_failures("0x200 1x9 2x9 3x40"), {"reason": "DesktopEnded"}),
        # The reason was never seen before, and all three come between two questions.
        (_failures("_x220 3x20", "OutOfMemory"), {"reason": "OutOfMemory"}),
        (_failures("_x200 1x9 2x9 3x40", "NodeFailed"), {"reason": "NodeFailed"}),
        # The services are started anew in between.
        (_failures("7x200 8x9 1x9 2x40"), {"reason": "DesktopEnded"}),
    ],
    "MoonlightLaunchesSlow": [(_launches(90.0), {"step": "desktop"})],
    "MoonlightSlurmSlow": [(_slurm(8.0), {"command": "squeue"})],
    "MoonlightRedisAway": [
        (_redis("0x200 1+1x40"), {"instance": "a"}),
        (_redis("_x200 1+1x40"), {"instance": "a"}),  # it was well since the service's start
    ],
    "MoonlightUserSideFails": [
        (_sides("0+4x240", "0x120 1+1x120"), {}),
        # A small portal whose sudo rule is wrong: a few questions a minute, and none is answered.
        (_sides("5x240", "0+0.2x240"), {}),
    ],
}
NEARLY: dict[str, list[Series]] = {
    "MoonlightServiceDown": [_count("up", "1x234 0x6"), _count("up", "1x200 0x5 1x40")],
    "MoonlightLaunchesFail": [
        _failures("7x200 8x9 9x40"),
        _failures("_x200 1x9 2x40"),
        _failures("0x60 1x20 2x20 3x160"),  # long ago
        {**_failures("2x240"), **_failures("0x200 2x40", "NodeFailed")},
    ],
    "MoonlightLaunchesSlow": [_launches(55.0)],
    "MoonlightSlurmSlow": [_slurm(4.0)],
    "MoonlightRedisAway": [_redis("0x228 1x12"), _redis("0x200 1x40")],  # once
    "MoonlightUserSideFails": [_sides("0+40x240", "0+1x240"), _sides("0+4x240", "0x230 9x10")],
}


def _alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def _expected(rule: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """With its texts as they are sent: each label that they name is there."""

    def filled(text: str) -> str:
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)

    annotations = {name: filled(text) for name, text in rule["annotations"].items()}
    return {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": annotations}


def _test(name: str, series: Series, raised: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """At the end of the hour, when all else is well."""
    return {
        "name": name,
        "interval": "15s",
        "input_series": [{"series": s, "values": v} for s, v in {**WELL, **series}.items()],
        "alert_rule_test": [
            {
                "eval_time": "60m",
                "alertname": alert,
                "exp_alerts": [raised[alert]] if alert in raised else [],
            }
            for alert in _alerts()
        ],
    }


def _promtool(*words: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool", path=SEARCH_PATH)
    assert program, "promtool is not installed: `tools/packages test` installs it (prometheus)"
    return subprocess.run([program, *words], capture_output=True, text=True, check=False)


def test_prometheus_reads_what_is_shipped(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(PROMETHEUS / "scrape.yml", tmp_path / "prometheus.yml")
    done = _promtool("check", "config", str(tmp_path / "prometheus.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(_alerts())} rules found" in done.stdout


def test_each_alert_is_raised_by_what_it_is_for_and_by_nothing_else(tmp_path: Path) -> None:
    alerts = _alerts()
    assert set(RAISED) == set(NEARLY) == set(alerts)
    tests = [_test("all is well", {}, {})]
    # The first case of each alert, then the second of each: one alone would take promtool as long.
    for number in range(max(map(len, RAISED.values()))):
        cases = {name: found[number] for name, found in RAISED.items() if number < len(found)}
        series = {s: v for told, _ in cases.values() for s, v in told.items()}
        raised = {name: _expected(alerts[name], labels) for name, (_, labels) in cases.items()}
        tests.append(_test(f"raised {number}", series, raised))
    for number in range(max(map(len, NEARLY.values()))):
        nearly = [found[number] for found in NEARLY.values() if number < len(found)]
        series = {s: v for told in nearly for s, v in told.items()}
        tests.append(_test(f"nearly {number}", series, {}))
    file = tmp_path / "alerts.yml"
    told = {"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": tests}
    file.write_text(yaml.safe_dump(told, sort_keys=False))
    done = _promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", RAISED)
def test_the_alert_is_in_the_documents_with_what_to_do(name: str) -> None:
    text = (PROMETHEUS.parents[1] / "docs/operations.md").read_text("utf-8")
    assert re.search(rf"^\| {name} \| .+ \| .+ \|$", text, re.MULTILINE)
