"""What Prometheus may ask, who may, and that the dashboard and the alerts ask for what is there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from moonlight_jupyter.portal import service
from moonlight_jupyter.portal.metrics import _STEPS, Guard, Metrics
from moonlight_jupyter.portal.underway import Underway
from moonlight_jupyter.traffic import Traffic, relayed
from moonlight_spawner.agent.status import STEPS
from moonlight_spawner.model.measured import measured
from moonlight_spawner.model.session import Resources, Session, State, Step, now
from moonlight_spawner.site.options import MoonlightSite
from tornado.web import Application

from tests.support.waiting import PATIENCE

from .front import THE_SITES
from .place import Place

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TOKEN = "a-token-of-prometheus-alone"
_NAME = re.compile(r"\bmoonlight_[a-z_]+")


def _types(text: str) -> dict[str, str]:
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def _session(status: State, session_id: str = "ml-alice-4k7q2mzj5a", **more: Any) -> Session:
    values = {
        "session_id": session_id,
        "user": "alice",
        "image_id": "xfce",
        "image_name": "XFCE",
        "status": status,
        "host": "selkies",
        "request": Resources(
            image="xfce", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30
        ),
        "scheduler": "slurm",
        "door": "portal",
        "node": "n1",
        "created_at": now() - timedelta(seconds=20),
        **more,
    }
    return Session(**values)


@pytest.fixture
def known() -> list[Session]:
    return []


@pytest.fixture
def metrics(known: list[Session]) -> Any:
    images = SimpleNamespace(all=lambda: [SimpleNamespace(id="xfce")])
    made = Metrics(SimpleNamespace(images=images), lambda: known, ["/api/moonlight/sessions"])
    yield made
    made.close()


def _told(metrics: Metrics) -> str:
    return asyncio.run(metrics.text()).decode()


def test_sessions_are_told_by_state_image_and_door_and_by_nothing_of_a_users(
    metrics: Metrics, known: list[Session]
) -> None:
    known += [_session(State.RUNNING), _session(State.RUNNING, "ml-bob-4k7q2mzj5a", user="bob")]
    known.append(_session(State.PENDING, "ml-eve-4k7q2mzj5a", image_id="alices", door="x" * 40))
    text = _told(metrics)
    assert 'moonlight_sessions{door="portal",image="xfce",state="running"} 2.0' in text
    assert 'moonlight_sessions{door="other",image="other",state="pending"} 1.0' in text
    for word in ("alice", "bob", "eve", "ml-", "n1", "xxx"):
        assert word not in text, word
    known.clear()
    assert "moonlight_sessions{" not in _told(metrics)


def test_a_launch_is_counted_once_with_its_steps_when_it_is_seen_to_run(
    metrics: Metrics, known: list[Session]
) -> None:
    begin = now() - timedelta(seconds=10)
    steps = [
        Step(id="desktop", label="", started_at=begin, ended_at=begin + timedelta(seconds=4)),
        Step(id="of a user", label="", started_at=begin, ended_at=begin + timedelta(seconds=1)),
        Step(id="picture", label=""),
    ]
    known.append(_session(State.RUNNING, "ml-alice-aaaaaaaaaa", steps=steps))
    assert "moonlight_launch_step_seconds_count" not in _told(metrics), "it ran before"
    known.append(_session(State.PENDING))
    _told(metrics)
    known[1] = _session(State.RUNNING, steps=steps)
    for _ in range(2):
        text = _told(metrics)
        assert 'moonlight_launch_step_seconds_count{step="desktop"} 1.0' in text
        assert 'moonlight_launch_step_seconds_sum{step="desktop"} 4.0' in text
        assert 'moonlight_launch_step_seconds_count{step="other"} 1.0' in text
        assert 'moonlight_launch_step_seconds_sum{step="all"} 14.0' in text
        assert 'step="picture"' not in text
    assert set(_STEPS) == set(STEPS)
    ages = steps[0].model_copy(
        update={
            "started_at": datetime(1, 1, 1, tzinfo=timezone.utc),
            "ended_at": datetime(9999, 1, 1, tzinfo=timezone.utc),
        }
    )
    known.append(_session(State.PENDING, "ml-alice-ages"))
    _told(metrics)
    known[-1] = _session(State.RUNNING, "ml-alice-ages", steps=[ages])
    total = re.search(r'step_seconds_sum\{step="all"\} (\S+)', _told(metrics))
    assert total and float(total[1]) < 1e6, "one record's times drown all others"


def test_failures_are_counted_once_and_their_reasons_are_bounded(
    metrics: Metrics, known: list[Session]
) -> None:
    _told(metrics)
    known.append(_session(State.FAILED, reason_code="DesktopEnded"))
    for _ in range(2):
        assert 'moonlight_session_failures_total{reason="DesktopEnded"} 1.0' in _told(metrics)
    name = "abcdefghijklmnopqrstuvwxyz"
    for number in range(200):
        code = f"Made{name[number // 26]}{name[number % 26]}"
        known.append(_session(State.FAILED, f"ml-alice-{code[4:]}", reason_code=code))
    known.append(_session(State.FAILED, "ml-alice-x", reason_code='"} 1\nmoonlight_fake 1'))
    text = _told(metrics)
    assert text.count("moonlight_session_failures_total{") <= 10
    assert "moonlight_fake" not in text
    # What one user has made of his records takes no place of others' reasons.
    others = _session(State.FAILED, "ml-bob-x", reason_code="OutOfMemory")
    known.append(others.model_copy(update={"user": "bob"}))
    assert 'moonlight_session_failures_total{reason="OutOfMemory"} 1.0' in _told(metrics)


def test_what_others_took_is_told_by_command_and_result(metrics: Metrics) -> None:
    with measured("slurm", "squeue"):
        pass
    with measured("slurm", "/home/alice/my squeue") as measure:
        measure.done = False
    with pytest.raises(OSError), measured("user_side", "create"):
        raise OSError
    with measured("redis", "claim"):
        pass
    text = _told(metrics)
    assert 'moonlight_slurm_seconds_count{command="squeue",result="done"} 1.0' in text
    assert 'moonlight_slurm_seconds_count{command="other",result="failed"} 1.0' in text
    assert 'moonlight_user_side_seconds_count{operation="create",result="failed"} 1.0' in text
    assert 'moonlight_redis_seconds_count{operation="claim",result="done"} 1.0' in text
    metrics.close()
    with measured("slurm", "squeue"):
        pass
    assert 'moonlight_slurm_seconds_count{command="squeue",result="done"} 1.0' in _told(metrics)
    metrics._stop = lambda: None


def test_what_was_relayed_is_told_by_direction(metrics: Metrics) -> None:
    def told() -> dict[str, float]:
        found = re.findall(
            r'^moonlight_relayed_bytes_total\{direction="(\w+)"\} (\S+)$', _told(metrics), re.M
        )
        return {direction: float(count) for direction, count in found}

    before = told()
    stream = Traffic()
    relayed.begin(stream)
    stream.add("to_browser", b"12345")
    relayed.body("from_browser", b"123")
    open_ = told()
    relayed.end(stream)
    assert told() == open_
    assert open_ == {
        "to_browser": before["to_browser"] + 5,
        "from_browser": before["from_browser"] + 3,
    }


def _ask(
    metrics: Metrics, site: MoonlightSite, headers: dict[str, str], proxy: str = "127.0.0.1"
) -> httpx.Response:
    """One request over a real connection, to the service's own way of listening."""

    async def ask() -> httpx.Response:
        application = Application(
            list(service.METRICS), moonlight_metrics=metrics, moonlight_metrics_guard=Guard(site)
        )
        own = MoonlightSite(portal_address="127.0.0.1", portal_proxies=[proxy])
        server = service.listen(application, own, 0, Underway())
        port = next(iter(server._sockets.values())).getsockname()[1]
        try:
            async with httpx.AsyncClient(timeout=PATIENCE) as client:
                return await client.get(f"http://127.0.0.1:{port}/metrics", headers=headers)
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(ask())


FORWARDED = ["X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Forwarded-Proto", "X-Scheme", "Via"]


@pytest.mark.parametrize(
    ("allow", "headers", "status"),
    [
        (["127.0.0.0/8"], {}, 200),
        (["10.0.0.0/8"], {}, 404),
        ([], {}, 404),
        *((["127.0.0.0/8"], {name: "127.0.0.1"}, 404) for name in FORWARDED),
        (["10.0.0.0/8"], {"X-Forwarded-For": "10.0.0.1"}, 404),
        ([], {"Authorization": f"Bearer {TOKEN}"}, 200),
        ([], {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "10.0.0.1"}, 200),
        (["127.0.0.0/8"], {"Authorization": f"Bearer {TOKEN}x"}, 404),
        ([], {"Authorization": f"Basic {TOKEN}"}, 404),
        ([], {"Authorization": "Bearer"}, 404),
    ],
)
def test_who_may_read_them(
    metrics: Metrics, tmp_path: Path, allow: list[str], headers: dict[str, str], status: int
) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    site = MoonlightSite(portal_metrics_allow=allow, portal_metrics_token_file=str(file))
    assert _ask(metrics, site, headers).status_code == status
    # Nor does it matter whether the site knows that proxy.
    assert _ask(metrics, site, headers, "10.0.0.1").status_code == status


def test_without_a_token_none_opens_it_and_one_that_others_may_read_is_not_taken(
    metrics: Metrics, tmp_path: Path
) -> None:
    site = MoonlightSite(portal_metrics_allow=[])
    for value in ("Bearer", "Bearer x"):
        assert _ask(metrics, site, {"Authorization": value}).status_code == 404
    file = tmp_path / "token"
    for text, mode, words in (("x", 0o600, "at least 16"), (TOKEN, 0o644, "mode 0600")):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(ValueError, match=words):
            Guard(MoonlightSite(portal_metrics_token_file=str(file)))


def _asked_for() -> dict[str, set[str]]:
    """The metrics that deploy/ names, by file."""
    dashboard = json.loads((DEPLOY / "grafana/moonlight-hpc.json").read_text())
    rules = yaml.safe_load((DEPLOY / "prometheus/moonlight-hpc.rules.yml").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(shown) >= 12 and len(alerts) >= 5
    return {
        "grafana": {name for expr in shown for name in _NAME.findall(expr)},
        "prometheus": {name for expr in alerts for name in _NAME.findall(expr)},
    }


def test_a_services_metrics_are_those_that_deploy_and_the_documents_name(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        assert client.get("/api/moonlight/sessions").status_code == 200
        assert client.get("/api/moonlight/sessions/ml-no-4k7q2mzj5a").status_code == 404
        for path in ("/metrics", "/moonlight/metrics", "/api/moonlight/metrics"):  # through nginx
            assert "moonlight_" not in client.get(path).text, path
        assert client.get("/metrics").text == THE_SITES.strip()
    text = httpx.get(f"http://127.0.0.1:{place.port}/metrics", timeout=PATIENCE).text
    address = f"http://127.0.0.1:{place.signaling}/metrics"
    assert httpx.get(address, timeout=PATIENCE).status_code == 404
    types = _types(text)
    there = set(types)
    for name, kind in types.items():
        there |= {name + end for end in ("_bucket", "_count", "_sum") if kind == "histogram"}
    for file, names in _asked_for().items():
        assert names and names <= there, (file, names - there)
    written = set(_NAME.findall((DEPLOY.parent / "docs/operations.md").read_text("utf-8")))
    assert written >= {n for n in types if not n.endswith("_created")}, "docs/operations.md"
    assert re.search(
        r'requests_total\{method="GET",route="/api/moonlight/sessions",status="200"\}', text
    )
    assert 'moonlight_refusals_total{code="not_found"}' in text
    assert 'moonlight_user_side_seconds_count{operation="' in text
    for word in (str(place.alice), str(place.bob), "ml-"):
        assert word not in text, word


def test_a_number_of_routes_is_all_that_requests_make(metrics: Metrics) -> None:
    def request(method: str, status: int = 200) -> Any:
        return SimpleNamespace(request=SimpleNamespace(method=method), get_status=lambda: status)

    ask: Callable[..., None] = metrics.finished
    ask(request("GET"), "/api/moonlight/sessions")
    for number in range(50):
        ask(request(f"M{number}"), f"/{number}")
    assert _told(metrics).count("moonlight_requests_total{") == 2
