"""nginx with TLS, configured as the administrators of a portal or a Hub would."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from types import TracebackType

from tests.support.waiting import GRACE, wait_for

_CONFIG = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
# Its workers would be www-data's, who does not get into a test's directory.
user root;
events {{ worker_connections 256; }}
http {{
  access_log {directory}/access.log;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
{http}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {directory}/cert.pem;
    ssl_certificate_key {directory}/key.pem;
{server}
  }}
}}
"""

_MAP = "  map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
_LOCATION = """
    location {prefix} {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 1h;
      proxy_request_buffering off;
      client_max_body_size 0;
    }}
"""


class Nginx:
    """``https://127.0.0.1:PORT``; ``server`` and ``http`` are what nginx is told in the blocks of these
    names."""

    def __init__(self, directory: Path, port: int, server: str, http: str = ""):
        self.origin = f"https://127.0.0.1:{port}"
        self.certificate = directory / "cert.pem"
        self._directory = directory
        self._port = port
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        argv += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        argv += ["-addext", "subjectAltName=IP:127.0.0.1"]
        argv += ["-out", str(directory / "cert.pem"), "-keyout", str(directory / "key.pem")]
        subprocess.run(argv, check=True, capture_output=True)
        text = _CONFIG.format(directory=directory, port=port, server=server, http=http)
        (directory / "nginx.conf").write_text(text)

    @classmethod
    def before(cls, directory: Path, port: int, upstream: str, prefix: str = "/") -> Nginx:
        """One that leads all below ``prefix`` to ``upstream``, an address without a path."""
        return cls(directory, port, _LOCATION.format(prefix=prefix, upstream=upstream), _MAP)

    def __enter__(self) -> Nginx:
        argv = ["/usr/sbin/nginx", "-p", str(self._directory), "-c", "nginx.conf"]
        argv += ["-e", str(self._directory / "error.log")]
        # Ctrl-C is for who ends it in its turn.
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._answers)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._directory / "error.log").read_text()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self._port)) == 0
