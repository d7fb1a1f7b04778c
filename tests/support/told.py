"""A portal as an agent sees it: who tells it something is heard, refused, or left without an answer."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from moonlight_spawner.model.records import AgentStatus, Callback


class Told:
    """``answer`` is the status that it gives; None: none, until the end. With a ``body`` that is 200."""

    def __init__(
        self, answer: int | None = 204, tls: ssl.SSLContext | None = None, body: bytes = b""
    ):
        self.answer, self.body = 200 if body else answer, body
        self.asked = 0
        self.heads: list[dict[str, str]] = []
        self.statuses: list[AgentStatus] = []
        self._release = threading.Event()
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told.asked += 1
                told.heads.append({name.lower(): value for name, value in self.headers.items()})
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if told.answer is None:
                    told._release.wait()
                    return
                if told.answer in (200, 204):
                    told.statuses.append(AgentStatus.model_validate_json(body))
                self.send_response(told.answer)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                self.wfile.write(told.body)

            def do_GET(self) -> None:
                raise AssertionError("a redirection was followed")

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._origin = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"

    def callback(self, session_id: str = "ml-a-aaaaaaaaaa", **more: Any) -> Callback:
        url = f"{self._origin}/api/moonlight/callback/{session_id}"
        return Callback(url=url, token="YQ.the-secret-of-one-session", **more)

    def __enter__(self) -> Told:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
