"""nvidia-smi, as far as a session asks it; the GPUs are in STANDIN_NVIDIA_SMI.

A JSON list of objects with ``name``, ``driver_version`` and ``memory.total`` (MiB, a number), and
``index``, ``uuid`` and ``pci.bus_id`` (as ``00000000:3B:00.0``) if they matter; or an object
``{"error": text, "code": number}``. Unset means no driver, as on a node without a GPU. Limited by
CUDA_VISIBLE_DEVICES it is not, as the real one is not.
"""

import json
import os
import sys
import uuid
from typing import Any

_NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
    "the latest NVIDIA driver is installed and running."
)


def main(argv: list[str]) -> int:
    given = json.loads(os.environ.get("STANDIN_NVIDIA_SMI") or "{}")
    if isinstance(given, dict):
        print(given.get("error", _NO_DRIVER))
        return int(given.get("code", 9))
    gpus = [_completed(at, gpu) for at, gpu in enumerate(given)]
    words = dict(word.partition("=")[::2] for word in argv)
    if "-i" in argv or "--id" in words:
        wanted = words["--id"] if "--id" in words else argv[argv.index("-i") + 1]
        gpus = [g for g in gpus if wanted in (str(g["index"]), g["uuid"])]
        if not gpus:
            print("No devices were found")
            return 6
    if "-L" in argv or "--list-gpus" in words:
        for gpu in gpus:
            print(f"GPU {gpu['index']}: {gpu['name']} (UUID: {gpu['uuid']})")
        return 0
    if "--query-gpu" not in words:
        print(f"NVIDIA-SMI {gpus[0]['driver_version'] if gpus else ''}")
        return 0
    fields = [field.strip() for field in words["--query-gpu"].split(",")]
    form = words.get("--format", "").split(",")
    for field in fields:
        if gpus and field not in gpus[0]:
            print(f'Field "{field}" is not a valid field to query.\n')
            return 2
    units = "" if "nounits" in form else " MiB"
    if "noheader" not in form:
        print(", ".join(f"{f} [MiB]" if f.startswith("memory.") else f for f in fields))
    for gpu in gpus:
        print(", ".join(f"{gpu[f]}{units if f.startswith('memory.') else ''}" for f in fields))
    return 0


def _completed(at: int, gpu: dict[str, Any]) -> dict[str, Any]:
    stable = uuid.uuid5(uuid.NAMESPACE_OID, f"{at} {gpu.get('name')}")
    bus = f"00000000:{0x3B + 0x10 * (gpu.get('index', at) % 12):02X}:00.0"
    base = {"index": at, "uuid": f"GPU-{stable}", "driver_version": "570.124.06"}
    base |= {"pci.bus_id": bus, "memory.total": 46068, "memory.used": 0}
    return {"name": "NVIDIA L40S", **base, **gpu}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
