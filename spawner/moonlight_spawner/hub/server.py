"""In a job of the Hub's: becomes the Jupyter server, whose port the Hub is told once it is the server's.

The Hub leads its user's browser to whatever listens there, on the origin that all users share. Who
tells a port before his server listens (batchspawner's own program does) may be told from: another user
of the node takes it meanwhile, and has the user's login at the Hub with his first page.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from ..model.said import said_by
from ..processes.mark import mark_of, runs
from ..relay.upstream import all_listening_uids

_LOOK_SECONDS = 0.1
_AGAIN_SECONDS = 3.0
_ANSWER_SECONDS = 30.0


def main(command: list[str]) -> None:
    """Replace this process by ``command``, a single-user server; never returns."""
    port = _free_port()
    where = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    where = where._replace(netloc=f"{where.hostname}:{port}")
    os.environ["JUPYTERHUB_SERVICE_URL"] = where.geturl()
    server, began = os.getpid(), mark_of(os.getpid()).ticks
    if (child := os.fork()) == 0:
        # A process of nobody's: the server would not collect a child that it does not know of.
        if os.fork() == 0:
            _tell_when_it_listens(server, began, port)
        os._exit(0)
    os.waitpid(child, 0)
    os.execvp(_program(command[0]), command)


def _program(name: str) -> str:
    """Of this Python's environment if the job's PATH does not have it: a Hub's service has a short one."""
    beside = Path(sys.executable).parent / name
    return str(beside) if not shutil.which(name) and beside.exists() else name


def _free_port() -> int:
    """A port that nobody has. Its IPv6 half stays taken as long as the server runs: that listens by
    IPv4, and a Hub may find the node by either."""
    while True:
        with socket.socket() as free:
            free.bind(("", 0))
            port: int = free.getsockname()[1]
            try:
                half = socket.socket(socket.AF_INET6)
            except OSError:  # there is no IPv6 here
                return port
            try:
                half.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                half.bind(("::", port))
            except OSError as e:
                half.close()
                if e.errno == errno.EADDRINUSE:
                    continue
                return port
            os.set_inheritable(half.detach(), True)
            return port


def _tell_when_it_listens(server: int, began: int, port: int) -> None:
    """Tell the Hub, unless the server ends before it listens, or somebody else does so.

    A server that the Hub does not know is nobody's, and would have its job to the end of its time: the
    Hub was killed while the job waited, or had no answer when it submitted it.
    """
    while True:
        running = runs(server, began)
        listening = all_listening_uids(port)
        if others := listening - {os.geteuid()}:
            _say(f"Port {port} was taken by uid {min(others)} before the server listened there.")
            return
        if not running:
            return
        if listening and (answer := _tell(port)):
            if 400 <= answer < 500:
                _say("So nobody would find this server: it is ended.")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server, signal.SIGTERM)
            return
        time.sleep(_AGAIN_SECONDS if listening else _LOOK_SECONDS)


def _tell(port: int) -> int:
    """The status of the Hub's answer; 0 if it has none, and is to be asked again."""
    request = Request(  # noqa: S310  # the address is the Hub's own word
        os.environ["JUPYTERHUB_API_URL"].rstrip("/") + "/batchspawner",
        data=json.dumps({"port": port}).encode(),
        headers={
            "Authorization": f"token {os.environ['JUPYTERHUB_API_TOKEN']}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    # Never by a proxy of the site's, which would be shown the token.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=_context()))
    try:
        with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
            return int(answer.status)
    except HTTPError as e:
        _say(f"The Hub does not take the server's port: status {e.code}.")
        return e.code if e.code < 500 else 0
    except (URLError, OSError) as e:
        _say(f"The Hub cannot be told the server's port: {said_by(e)}. It is tried again.")
        return 0


def _context() -> ssl.SSLContext:
    """With the certificates of a Hub that has some of its own (``internal_ssl``)."""
    env = os.environ
    context = ssl.create_default_context(cafile=env.get("JUPYTERHUB_SSL_CLIENT_CA") or None)
    if env.get("JUPYTERHUB_SSL_CERTFILE"):
        context.load_cert_chain(
            env["JUPYTERHUB_SSL_CERTFILE"], env.get("JUPYTERHUB_SSL_KEYFILE") or None
        )
    return context


def _say(text: str) -> None:
    print(f"moonlight-hpc: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
