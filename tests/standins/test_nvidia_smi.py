"""nvidia-smi says what STANDIN_NVIDIA_SMI gives it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = Path(__file__).resolve().parent / "nvidia-smi"
_QUERY = "--query-gpu=index,uuid,name,driver_version,memory.total"
_GPUS = [
    {"uuid": "GPU-aaaa", "name": "NVIDIA A100-SXM4-80GB", "memory.total": 81920},
    {"uuid": "GPU-bbbb", "name": "NVIDIA L40S", "driver_version": "550.54.15"},
]


def _ask(given: Any, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "STANDIN_NVIDIA_SMI": json.dumps(given)}
    return subprocess.run([_PROGRAM, *words], env=env, capture_output=True, text=True)


def test_the_query() -> None:
    done = _ask(_GPUS, _QUERY, "--format=csv,noheader")
    assert done.returncode == 0
    assert done.stdout == (
        "0, GPU-aaaa, NVIDIA A100-SXM4-80GB, 570.124.06, 81920 MiB\n"
        "1, GPU-bbbb, NVIDIA L40S, 550.54.15, 46068 MiB\n"
    )


def test_the_list_and_one_gpu() -> None:
    assert _ask(_GPUS, "-L").stdout == (
        "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-aaaa)\nGPU 1: NVIDIA L40S (UUID: GPU-bbbb)\n"
    )
    one = _ask(_GPUS, "-i", "1", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
    assert one.stdout == "NVIDIA L40S, 46068\n"
    assert _ask(_GPUS, "-i", "7", "-L").returncode == 6


def test_where_the_gpus_are() -> None:
    query = ("--query-gpu=uuid,pci.bus_id", "--format=csv,noheader")
    assert _ask(_GPUS, *query).stdout == (
        "GPU-aaaa, 00000000:3B:00.0\nGPU-bbbb, 00000000:4B:00.0\n"
    )
    own = [{"index": 3, "uuid": "GPU-c", "pci.bus_id": "00000001:AF:00.0"}]
    assert _ask(own, *query).stdout == "GPU-c, 00000001:AF:00.0\n"
    assert _ask([{"index": 3, "uuid": "GPU-c"}], *query).stdout == "GPU-c, 00000000:6B:00.0\n"


@pytest.mark.parametrize("given", [{}, {"error": "broken", "code": 15}])
def test_without_a_driver(given: dict[str, Any]) -> None:
    done = _ask(given, "-L")
    assert done.returncode == (given.get("code") or 9)
    assert (given.get("error") or "couldn't communicate with the NVIDIA driver") in done.stdout
