"""Debian's Apache with the node proxy of an Open OnDemand portal.

Its rules are those of ood-portal.conf (ood-portal-generator 4.2) and node_proxy.lua (mod_ood_proxy): the
upstream's address is taken from the path, which is passed on whole (``node``) or without its head
(``rnode``); Location and Set-Cookie are edited; Authorization is taken away.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.cluster.ports import free_port
from tests.support.waiting import GRACE, wait_for

_MODULES = "mpm_event authz_core mime dir ssl socache_shmcb headers env setenvif lua"
_PROXY = "proxy proxy_http proxy_wstunnel"

_CONFIG = """
ServerRoot {directory}
ServerName localhost
PidFile {directory}/pid
ErrorLog {directory}/error.log
LogLevel warn
Mutex file:{directory} default
{modules}
User www-data
Group www-data
Listen 127.0.0.1:{port}
TypesConfig /etc/mime.types
# A stream that is silent for longer ends, as after Apache's usual 60 seconds.
Timeout {timeout}
<VirtualHost 127.0.0.1:{port}>
  TraceEnable off
  Header always set Content-Security-Policy "frame-ancestors {origin};"
  SSLEngine On
  SSLCertificateFile {directory}/cert.pem
  SSLCertificateKeyFile {directory}/key.pem
  SSLProxyEngine On
  LuaRoot {directory}
  DocumentRoot {directory}/pages
  <Location /pun>
    Header always set Cache-Control no-store
  </Location>
{locations}
</VirtualHost>
"""

_NODE = """
  <LocationMatch "^/{name}/(?<host>{host_regex})/(?<port>\\d+)">
    {secure}
    RequestHeader unset Authorization
    Header edit Location "^[^/]+//[^/]+" ""
    Header edit* Set-Cookie ";\\s*(?i)Domain[^;]*" ""
    Header edit* Set-Cookie ";\\s*(?i)Path[^;]*" ""
    Header edit  Set-Cookie "^([^;]+)" "$1; Path={here}"
    LuaHookFixups node_proxy.lua node_proxy_handler
  </LocationMatch>
"""

_RNODE = """
  <LocationMatch "^/{name}/(?<host>{host_regex})/(?<port>\\d+)(?<uri>/.*|)">
    {secure}
    RequestHeader unset Authorization
    Header edit Location "^([^/]+//[^/]+)|(?=/)|^([\\./]{{1,}}(?<!/))" "{here}"
    Header edit* Set-Cookie ";\\s*(?i)Domain[^;]*" ""
    Header edit* Set-Cookie ";\\s*(?i)Path[^;]*" ""
    Header edit  Set-Cookie "^([^;]+)" "$1; Path={here}"
    LuaHookFixups node_proxy.lua node_proxy_handler
  </LocationMatch>
"""

_LUA = """
function node_proxy_handler(r)
  local host = r.subprocess_env['MATCH_HOST']
  local port = r.subprocess_env['MATCH_PORT']
  local uri = r.subprocess_env['MATCH_URI'] or r.uri
  if uri == '' then uri = '/' end
  local tls = r.subprocess_env['OOD_SECURE_UPSTREAM'] == '1'
  local protocol
  if r.headers_in['Upgrade'] then
    protocol = tls and 'wss://' or 'ws://'
  else
    protocol = tls and 'https://' or 'http://'
  end
  r.handler = 'proxy:' .. protocol .. host .. ':' .. port
  r.filename = uri
  r.headers_in['X-Forwarded-Proto'] = r.is_https and 'https' or 'http'
  r.headers_in['X-Forwarded-User'] = 'somebody'
  r.headers_in['X-Forwarded-Escaped-Uri'] = r:escape(uri)
  return apache2.DECLINED
end
"""


class Apache:
    """``https://127.0.0.1:PORT/…`` of one portal, with all four node proxies.

    ``pages`` are the portal's own, by their paths; they may be exchanged while it runs.
    """

    def __init__(self, host_regex: str = "[^/]+", silence: int = 60):
        self.port = free_port()
        self.origin = f"https://127.0.0.1:{self.port}"
        self._host_regex = host_regex
        self._silence = silence
        # Not in a test's own directory: Apache's processes are www-data's.
        self._directory = Path(tempfile.mkdtemp(prefix="mlt-apache-", dir="/var/tmp"))
        self._process: subprocess.Popen[bytes] | None = None

    def page(self, path: str, body: str) -> str:
        """Serve ``body`` as a page; its address."""
        file = self._directory / "pages" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            f"<!doctype html><html><meta charset=utf-8><body>{body}</body></html>", encoding="utf-8"
        )
        return f"{self.origin}/{path}"

    def _start(self) -> None:
        directory = self._directory
        directory.chmod(0o755)
        (directory / "pages").mkdir()
        (directory / "node_proxy.lua").write_text(_LUA)
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        argv += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
        argv += ["-addext", "subjectAltName=IP:127.0.0.1"]
        argv += ["-out", str(directory / "cert.pem"), "-keyout", str(directory / "key.pem")]
        subprocess.run(argv, check=True, capture_output=True)
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in f"{_MODULES} {_PROXY}".split()
        )
        locations = "".join(
            template.format(
                name=prefix + name,
                host_regex=self._host_regex,
                here=f"/{prefix}{name}/%{{MATCH_HOST}}e/%{{MATCH_PORT}}e",
                secure="SetEnv OOD_SECURE_UPSTREAM 1" if prefix else "",
            )
            for prefix in ("", "secure_")
            for name, template in (("node", _NODE), ("rnode", _RNODE))
        )
        text = _CONFIG.format(
            directory=directory,
            port=self.port,
            origin=self.origin,
            modules=modules,
            locations=locations,
            timeout=self._silence,
        )
        (directory / "apache.conf").write_text(text)
        argv = ["/usr/sbin/apache2", "-f", str(directory / "apache.conf"), "-D", "FOREGROUND"]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        wait_for(self._answers)

    def __enter__(self) -> Apache:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, with all that it has written."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def log(self) -> str:
        path = self._directory / "error.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self.log
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0
