"""A job with a GPU: which one, and what OpenGL really draws with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.desktop.gpu import Gpu, job_gpu, parse

from tests.cluster.users import TestUser

from .conftest import Launch
from .nodes import Node, a_node
from .sessions import AgentSession, settings

T4 = {"dri": "/dev/dri/card0", "renderer": "Tesla T4/PCIe/SSE2"}
L40S = {"dri": "/dev/dri/card1", "renderer": "NVIDIA L40S/PCIe/SSE2"}
MESA = {"dri": None, "renderer": "llvmpipe (LLVM 15.0.6, 256 bits)"}


@pytest.fixture
def node() -> Iterator[Node]:
    with a_node() as node:
        yield node


def inside(session: AgentSession) -> dict[str, str]:
    return session.desktop_environment()


def test_the_desktop_draws_on_the_jobs_gpu_and_not_on_the_first(launch: Launch, node: Node) -> None:
    node.add_gpus({"name": "Tesla T4"}, {"name": "NVIDIA L40S"})
    node.add_virtualgl([T4, L40S, MESA])
    session = launch(job={**node.job, "SLURM_JOB_GPUS": "1", "CUDA_VISIBLE_DEVICES": "1"})
    status = session.wait_running()
    assert status.gl_renderer == "NVIDIA L40S/PCIe/SSE2"
    assert not any("OpenGL" in note for note in status.notes)
    env = inside(session)
    assert (env["VGL_ISACTIVE"], env["VGL_DISPLAY"]) == ("1", "egl1")


def test_a_device_that_only_sees_the_jobs_gpu_has_another_number(
    launch: Launch, node: Node
) -> None:
    node.add_gpus({"name": "NVIDIA L40S", "index": 0})
    node.add_virtualgl([{**T4, "broken": True}, MESA, L40S])
    session = launch(job=node.job)
    assert session.wait_running().gl_renderer == "NVIDIA L40S/PCIe/SSE2"
    assert inside(session)["VGL_DISPLAY"] == "egl1"


@pytest.mark.parametrize(
    ("names", "job_gpus", "visible", "first"),
    [
        (["T4", "L40S"], "1", "1", "L40S"),  # all of the node are listed: the real index
        (["T4", "L40S"], "1,3", "0,1", "T4"),  # those of the job are: CUDA's own numbers
        (["T4", "L40S"], "1,3", "1,0", "L40S"),
        (["T4", "L40S", "A40"], "2,1", "2,1", "A40"),
        (["T4"], "3", "0", "T4"),
        (["T4", "L40S"], None, "1", "L40S"),
        (["T4", "L40S"], None, None, "T4"),
    ],
)
def test_the_first_gpu_of_the_job(
    node: Node, names: list[str], job_gpus: str | None, visible: str | None, first: str
) -> None:
    node.add_gpus(*({"name": name} for name in names))
    told = {"SLURM_JOB_GPUS": job_gpus, "CUDA_VISIBLE_DEVICES": visible}
    env = {**node.job, **{name: value for name, value in told.items() if value}}
    gpu = asyncio.run(job_gpu(env))
    assert gpu and gpu.name == first


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        (None, "VirtualGL (vglrun) is not installed"),
        ([], "VirtualGL finds no EGL device of it"),
        ([T4, MESA], "VirtualGL finds no EGL device of it"),
    ],
    ids=["not installed", "no device", "only others"],
)
def test_a_gpu_that_cannot_draw_is_told_with_the_reason(
    launch: Launch, node: Node, devices: list[dict[str, str]] | None, why: str
) -> None:
    node.add_gpus({"name": "NVIDIA L40S"})
    if devices is not None:
        node.add_virtualgl(devices)
    session = launch(job=node.job)
    status = session.wait_running()
    assert status.gl_renderer and status.gl_renderer.startswith("llvmpipe")
    told = f"OpenGL programs draw with the CPU although the job has NVIDIA L40S: {why}."
    assert told in status.notes
    assert not {"VGL_ISACTIVE", "VGL_DISPLAY"} & set(inside(session))


def test_a_site_may_want_no_virtualgl(launch: Launch, node: Node, user: TestUser) -> None:
    node.add_gpus({"name": "NVIDIA L40S"})
    node.add_virtualgl([L40S])
    session = launch(env=settings(user, virtualgl="false"), job=node.job)
    status = session.wait_running()
    assert status.gl_renderer and status.gl_renderer.startswith("llvmpipe")
    assert "VGL_ISACTIVE" not in inside(session)


def test_the_kernel_tells_the_gpus_dri_device(tmp_path: Path) -> None:
    for bus, card in (("0000:3b:00.0", "card1"), ("0000:d8:00.0", "card0")):
        (tmp_path / bus / "drm" / card).mkdir(parents=True)
        (tmp_path / bus / "drm" / "renderD128").mkdir()
    gpu = Gpu(0, "GPU-1", "NVIDIA L40S", "570", "00000000:3B:00.0")
    assert gpu.dri_device(tmp_path) == "/dev/dri/card1"
    assert Gpu(1, "", "", "", "00000000:5E:00.0").dri_device(tmp_path) is None
    assert Gpu(1, "", "", "", "../../../etc").dri_device(tmp_path) is None
    assert Gpu(1, "", "", "").dri_device(tmp_path) is None


@pytest.mark.parametrize(
    ("bus_id", "told"),
    [("00000000:3B:00.0", "PCI:59:0:0"), ("0000:d8:1f.7", "PCI:216:31:7"), ("", ""), ("x", "")],
)
def test_an_x_server_wants_the_bus_in_decimal(bus_id: str, told: str) -> None:
    assert Gpu(0, "", "", "", bus_id).x_bus_id == told


def test_lines_that_are_no_gpu_are_passed_over() -> None:
    text = "0, GPU-a, NVIDIA L40S, 570.1, 00000000:3B:00.0\nNo devices were found\n\n1, GPU-b\n"
    assert parse(text) == [Gpu(0, "GPU-a", "NVIDIA L40S", "570.1", "00000000:3B:00.0")]
    assert parse("0, GPU-a, Tesla T4, 570\n") == [Gpu(0, "GPU-a", "Tesla T4", "570", "")]
