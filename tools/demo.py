"""`make demo`: JupyterLab with Moonlight HPC on this machine, until Ctrl-C.

With --slurm the sessions are jobs of a real Slurm on this one machine (needs root: it makes a
user for the time of the demo, because Slurm's daemons and its users are different people).
Everything lives in one temporary directory and is ended and removed at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from moonlight_spawner.agent.display.screen import make_sockets
from moonlight_spawner.processes.kernel import die_with_parent

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # tests.cluster: the same cluster that the tests run

from tests.cluster import (  # noqa: E402
    ClusterError,
    SlurmCluster,
    as_user,
    ensure_users,
    remove_users,
    unique_names,
)

START_SECONDS = 90
END_SECONDS = 60
REMOVE_SECONDS = 10
TELL_SECONDS = 5

#: These name places in the real home.
_IN_THE_HOME = {
    *("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XAUTHORITY"),
    *("IPYTHONDIR", "GNUPGHOME", "PYTHONUSERBASE"),
}


class Account:
    """Who runs JupyterLab and the desktops: this user, or one made for the demo."""

    def __init__(self, env: Mapping[str, str], run_as: Mapping[str, Any], home: Path):
        self.env = dict(env)
        self.run_as = dict(run_as)
        self.home = home


def main() -> int:
    options = _options()
    end_by_signals("its desktops, its JupyterLab and its files")
    try:
        with ended_in_order() as stack:
            account = _slurm(stack) if options.slurm else this_machine(stack)
            server, port = jupyter(stack, account, options.port)
            _welcome(port, account.env["JUPYTER_TOKEN"])
            server.wait()
            print("JupyterLab has ended, and so does the demo.", flush=True)
    except KeyboardInterrupt:
        pass
    except ClusterError as e:
        sys.exit(f"The demo cannot go on: {e}")
    return 0


def end_by_signals(what: str) -> None:
    """TERM, and a terminal that is closed, end everything in order as Ctrl-C does; ``what`` that is."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        _ignore_interrupts()
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"\nEnding the demo: {what}.", flush=True)
        raise KeyboardInterrupt

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, interrupt)


def _ignore_interrupts() -> None:
    """A second Ctrl-C must not break off the ending; nor end the programs that help with it."""
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: None)  # those programs go on obeying this one


@contextlib.contextmanager
def ended_in_order() -> Iterator[contextlib.ExitStack]:
    """Takes what has to be ended: the last first, whatever goes wrong."""
    with contextlib.ExitStack() as stack:
        try:
            yield stack
        finally:
            _ignore_interrupts()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slurm", action="store_true")
    parser.add_argument("--port", type=int, default=0, help="default: one that is free")
    return parser.parse_args()


def this_machine(stack: contextlib.ExitStack) -> Account:
    place = directory(stack)
    # A home of their own for JupyterLab and the desktops: what both write there at their first
    # start (.config/xfce4, Desktop, .ipython, …) is no concern of the real one.
    home = place / "home"
    home.mkdir(mode=0o700)
    env = {k: v for k, v in os.environ.items() if k not in _IN_THE_HOME}
    site = json.loads(env.get("MOONLIGHT_HPC_JOB_ENVIRONMENT") or "{}")
    # Mesa asks the account database for the home, and HOME does not change that.
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    env |= {
        **own,
        "MOONLIGHT_HPC_SCHEDULER": "local",
        "MOONLIGHT_HPC_JOB_ENVIRONMENT": json.dumps({**site, **own}),
    }
    return Account(env, {}, home)


def _slurm(stack: contextlib.ExitStack) -> Account:
    if os.geteuid() != 0:
        sys.exit("make demo-slurm needs root: it starts Slurm's daemons and makes a user.")
    names = unique_names(1)
    stack.callback(remove_users, names)  # first: Ctrl-C may come while the user is made
    user = ensure_users(names)[0]
    make_sockets()  # as a node's boot does; its users may not
    cluster = SlurmCluster(directory(stack), [user])
    stack.callback(cluster.stop)
    with _telling("Starting a Slurm cluster of two nodes on this machine"):
        cluster.start()
    extra = {"MOONLIGHT_HPC_SCHEDULER": "slurm", "SLURM_CONF": str(cluster.slurm_conf)}
    run_as = as_user(user, extra)
    env = run_as.pop("env")
    del run_as["cwd"]
    print(f"Slurm is up. To look at it: export SLURM_CONF={cluster.slurm_conf}; squeue")
    return Account(env, run_as, user.home)


def directory(stack: contextlib.ExitStack) -> Path:
    made = Path(tempfile.mkdtemp(prefix="moonlight-demo-", dir="/var/tmp"))
    stack.callback(_remove, made)
    return made


def _remove(directory: Path) -> None:
    deadline = time.monotonic() + REMOVE_SECONDS
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.1)  # what Ctrl-C broke off may still write a last file


def jupyter(
    stack: contextlib.ExitStack, account: Account, port: int = 0
) -> tuple[subprocess.Popen[bytes], int]:
    """JupyterLab and its port; ``JUPYTER_TOKEN`` of the account opens it."""
    port = port or _free_port()
    token = secrets.token_urlsafe(24)
    for name in ("CONFIG", "DATA", "RUNTIME"):
        account.env[f"JUPYTER_{name}_DIR"] = str(account.home / "jupyter" / name.lower())
    account.env |= {
        "JUPYTER_TOKEN": token,  # not in argv, which every user can read
        "MOONLIGHT_HPC_SESSIONS_DIR": str(account.home / "sessions"),
        "MOONLIGHT_HPC_SANDBOXES_DIR": str(account.home / "sandboxes"),
        "MOONLIGHT_HPC_RESOLUTION": account.env.get("MOONLIGHT_HPC_RESOLUTION", "1280x720"),
    }
    _without_news(account)
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    argv += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    argv += [
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if not account.run_as and os.geteuid() == 0:
        argv.append("--allow-root")
    log = stack.enter_context(tempfile.NamedTemporaryFile(prefix="moonlight-demo-", suffix=".log"))
    server = subprocess.Popen(
        argv,
        env=account.env,
        cwd=account.home,
        # Away from the terminal: Ctrl-C is for the demo, which ends the desktops first, and
        # JupyterLab would ask whether it is meant.
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, signal.SIGTERM),
        stdout=log,
        stderr=log,
        **account.run_as,
    )
    stack.callback(_stop_jupyter, server)
    stack.callback(_stop_sessions, account)
    with _telling("Starting JupyterLab"):
        _wait(server, port, token, Path(log.name))
    return server, port


def _without_news(account: Account) -> None:
    """JupyterLab would ask whether to fetch news, above its launcher: by its settings alone it does not."""
    directory = account.home / "jupyter" / "config" / "labconfig"
    directory.mkdir(parents=True)
    never = {"fetchNews": "false", "checkForUpdates": False}
    settings = {"@jupyterlab/apputils-extension:notification": never}
    written = directory / "default_setting_overrides.json"
    written.write_text(json.dumps(settings))
    if "user" in account.run_as:
        for path in (written, directory, directory.parent, directory.parent.parent):
            os.chown(path, account.run_as["user"], account.run_as["group"])


def _wait(server: subprocess.Popen[bytes], port: int, token: str, log: Path) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/moonlight/health", headers={"Authorization": f"token {token}"}
    )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            with urllib.request.urlopen(request, timeout=5):
                return
        time.sleep(0.2)
    print(log.read_text("utf-8", "replace")[-3000:], file=sys.stderr)
    sys.exit("JupyterLab did not start; its log is above.")


def _welcome(port: int, token: str) -> None:
    print(
        f"""
  Open this link:

      http://127.0.0.1:{port}/lab?token={token}

  In JupyterLab's launcher click "Moonlight Desktop", then "Launch", then "Connect".
  From another machine first:  ssh -L {port}:127.0.0.1:{port} {socket.gethostname()}
  Ctrl-C here ends the demo and its desktops.
""",
        flush=True,
    )


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Say what is waited for, and every few seconds for how long already."""
    begun, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(TELL_SECONDS):
            print(f"{what} … {time.monotonic() - begun:.0f} s", flush=True)

    print(f"{what} …", flush=True)
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _stop_sessions(account: Account) -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "moonlight_spawner", "session", *arguments]
        how: dict[str, Any] = {"env": account.env, "cwd": account.home, **account.run_as}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=END_SECONDS, **how
        )
        return str(done.stdout, "utf-8")

    for session in json.loads(run("list", "--json") or "[]"):
        try:
            with _telling(f"Ending {session['session_id']}"):
                run("stop", "--wait", session["session_id"])
        except subprocess.TimeoutExpired:
            print(f"{session['session_id']} has not ended within {END_SECONDS} s.", file=sys.stderr)


def _stop_jupyter(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
