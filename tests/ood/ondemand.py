"""Open OnDemand's side of a batch-connect app: what its dashboard renders, stages, submits and shows.

Its own classes are not in Debian. ``render.rb`` evaluates the templates as they do; the job script below
is put together in their order (ood_core 0.31, lib/ood_core/batch_connect/template.rb).
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.processes import of_user
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, run_as
from tests.support.waiting import wait_for

RENDER = Path(__file__).with_name("render.rb")

_JOB = r"""
cd {work_dir}
# Export useful connection variables
export host
export port
create_yml () {{
  echo "Generating connection YAML file..."
  (
    umask 077
    echo -e "{params}" > "{work_dir}/connection.yml"
  )
}}
clean_up () {{
  echo "Cleaning up..."
  [[ -e "{work_dir}/clean.sh" ]] && source "{work_dir}/clean.sh"
  [[ ${{SCRIPT_PID}} ]] && pkill -P ${{SCRIPT_PID}} || :
  pkill -P $$
  exit ${{1:-0}}
}}
host=$(hostname)
[[ -e "{work_dir}/before.sh" ]] && source "{work_dir}/before.sh"
echo "Script starting..."
"{work_dir}/script.sh" &
SCRIPT_PID=$!
[[ -e "{work_dir}/after.sh" ]] && source "{work_dir}/after.sh"
create_yml
wait ${{SCRIPT_PID}} || clean_up 1
clean_up
"""


def job_script(work_dir: Path, conn_params: list[str]) -> str:
    names = dict.fromkeys([*conn_params, "host", "port", "password"])
    params = r"\n".join(f"{name}: ${name}" for name in names)
    return "#!/bin/bash\n" + _JOB.format(work_dir=work_dir, params=params)


class Refused(Exception):
    """A template raised an error, whose words the dashboard shows."""


Asked = dict[str, Any]


def render_all(
    user: TestUser | None, env: Mapping[str, str], asked: list[Asked]
) -> list[dict[str, Any]]:
    """What ``render.rb`` answers to each, run as a user's own web server."""
    argv = ["ruby", str(RENDER)]
    done = run_as(user or "root", argv, env=env, input=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def render(user: TestUser | None, env: Mapping[str, str], **asked: Any) -> dict[str, Any]:
    """One of them."""
    [answer] = render_all(user, env, [asked])
    if "error" in answer:
        raise Refused(answer["error"])
    return answer


@dataclass
class Card:
    """One session of the dashboard, as its page shows it."""

    status: str  # Queued, Starting, Running, Completed
    parts: dict[str, Any]

    @property
    def connect(self) -> dict[str, Any]:
        found: dict[str, Any] = self.parts["connect"]
        return found


@dataclass
class OnDemand:
    """The dashboard of one user, with this app."""

    slurm: SlurmCluster
    user: TestUser
    app: Path
    env: dict[str, str] = field(default_factory=dict)
    others: set[int] = field(default_factory=set)  # what ran of the user before

    def __post_init__(self) -> None:
        self.others = set(of_user(self.user.uid))
        self.env = {**self.slurm.env, **self.env}

    def launch(self, **context: str) -> Job:
        """What a click on Launch does: submit.yml.erb, staging, sbatch."""
        token = str(uuid.uuid4())
        staged = (
            self.user.home
            / "ondemand/data/sys/dashboard/batch_connect/sys/moonlight/output"
            / token
        )
        asked = {"app": str(self.app), "context": context}
        told = render(self.user, self.env, do="submit", staged_root=str(staged), **asked)["submit"]
        session = {"id": token, "staged_root": str(staged), "state": "queued"}
        render(self.user, self.env, do="stage", session=session, **asked)
        script = told["script"]
        argv = ["sbatch", "--parsable"]
        argv += [] if script["rerunnable"] else ["--no-requeue"]
        argv += [
            "-D",
            str(staged),
            "-J",
            "sys/dashboard/sys/moonlight",
            "-o",
            f"{staged}/output.log",
        ]
        argv += ["-p", script["queue_name"]] if "queue_name" in script else []
        argv += ["-A", script["accounting_id"]] if "accounting_id" in script else []
        argv += ["-t", str(timedelta(seconds=script["wall_time"]))]
        argv += ["--qos", script["qos"]] if "qos" in script else []
        argv += ["--export", "NONE", *script["native"]]
        text = job_script(staged, told["batch_connect"]["conn_params"])
        done = self.slurm.run_as(self.user, argv, input=text, check=True)
        return Job(self, token, staged, int(done.stdout.strip()))


@dataclass
class Job:
    """A session of the dashboard's."""

    dashboard: OnDemand
    token: str
    staged: Path
    job_id: int

    def card(self, locale: str = "en") -> Card:
        state = self.dashboard.slurm.job(self.job_id)["JobState"]
        known = {"PENDING": "queued", "RUNNING": "running", "COMPLETING": "running"}
        state = known.get(state, "completed")
        session = {"id": self.token, "staged_root": str(self.staged), "state": state}
        asked = {"do": "card", "app": str(self.dashboard.app), "session": session, "locale": locale}
        parts = render(self.dashboard.user, self.dashboard.env, **asked)
        status = {"queued": "Queued", "completed": "Completed"}.get(state)
        return Card(status or ("Running" if "view" in parts else "Starting"), parts)

    def wait(self, status: str) -> Card:
        """Until the card says so. One that is completed never says anything else."""
        found: list[Card] = []

        def there() -> bool:
            found[:] = [self.card()]
            assert found[0].status in (status, "Queued", "Starting", "Running"), (
                f"{found[0]}\n{self.output()}"
            )
            return found[0].status == status

        wait_for(there, interval=0.3)
        return found[0]

    def session(self) -> str:
        """Its id in Moonlight HPC."""
        said = json.loads(self.staged.joinpath("session.json").read_text())
        return str(said["session_id"])

    def output(self) -> str:
        path = self.staged / "output.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


def change_settings(app: Path, **settings: Any) -> None:
    """Edit the site's YAML, as an administrator would."""
    path = app / "site.yml"
    read = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**read, **settings}, allow_unicode=True))


def command() -> Path:
    """The installed program."""
    return Path(sys.executable).parent / "moonlight-hpc"
