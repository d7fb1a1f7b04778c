"""schemathesis, a real one: it reads the OpenAPI document that a server serves, and asks what that says
and what it forbids."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE

# Of no check is anything left out that the document could be made to say. Who is not logged in is
# answered 403 as everywhere in Jupyter.
_SETTINGS = """
hooks = {hooks}
max-stream-events = 1
request-timeout = {patience}
workers = 1
continue-on-failure = true
warnings = false
seed = 8004

[cache]
enabled = false

[headers]
Authorization = {authorization}

[parameters]
{parameters}

[generation]
max-examples = {examples}
database = "none"
deterministic = true
no-shrink = true

[phases.coverage]
enabled = {all}
[phases.examples]
enabled = false
[phases.stateful]
enabled = false

[checks.missing_required_header]
enabled = false

# What the document allows is done.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304"]

# But for this: no launch names an image that there is (see the hooks), and the session has no desktop.
[[operations]]
include-name = "POST /api/moonlight/sessions"
[operations.checks.positive_data_acceptance]
expected-statuses = ["404"]

[[operations]]
include-path-regex = "/(native|clipboard|picture|keep|sharing)"
[operations.checks.positive_data_acceptance]
expected-statuses = ["409"]

# Nobody makes up what the last choices were.
[[operations]]
include-name = "PUT /api/moonlight/choices"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "409"]

# No word that is made up is an invitation.
[[operations]]
include-name = "POST /api/moonlight/guest"
[operations.checks.positive_data_acceptance]
expected-statuses = ["400"]

# The one session there lives.
[[operations]]
include-path-regex = "/record"
[operations.checks.positive_data_acceptance]
expected-statuses = ["409"]

# To OpenAPI 3.1 a stream of events is a text; this program reads one event for itself.
[[operations]]
include-path = "/api/moonlight/events"
[operations.checks.response_schema_conformance]
enabled = false

{left_out}
[[operations]]
include-path-regex = "{thoroughly}"
[operations.phases.coverage]
enabled = true
"""


_LEFT_OUT = """[[operations]]
include-name-regex = {}
enabled = false
"""


def fuzz(
    described: str,
    authorization: str,
    directory: Path,
    parameters: Mapping[str, Any],
    examples: int,
    thoroughly: str = "",
    left_out: str = "",
) -> str:
    """What it tells of the server behind the document at ``described``; it fails if something is wrong.

    ``parameters`` are values for some parameters, by name; ``examples`` is their number for each call.
    All that the document's words can mean is gone through besides, of the calls whose paths match
    ``thoroughly`` (a regular expression; empty: of all). Calls whose names match ``left_out`` are not made.
    """
    settings = directory / "schemathesis.toml"
    settings.touch(0o600)
    told = "".join(
        f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in parameters.items()
    )
    settings.write_text(
        _SETTINGS.format(
            hooks=json.dumps(str(Path(__file__).with_name("fuzzing_hooks.py"))),
            patience=PATIENCE,
            authorization=json.dumps(authorization),
            parameters=told,
            examples=examples,
            all=json.dumps(not thoroughly),
            thoroughly=thoroughly,
            left_out=_LEFT_OUT.format(json.dumps(left_out)) if left_out else "",
        )
    )
    program = str(Path(sys.prefix, "bin/schemathesis"))
    argv = [program, "--config-file", str(settings), "--no-color", "run", described]
    argv += ["--tls-verify", "false"]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=directory
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    return done.stdout
