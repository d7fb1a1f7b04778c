"""The ports base and base-5 (serverinfo-*.txt, https-port-http-root.txt, no-display.txt)."""

from __future__ import annotations

import ipaddress
import threading

from .apps import Apps
from .config import Config
from .log import Log
from .pairing import Pairing, xml
from .state import State
from .streams import Launch, Streams
from .web import Answer, Request

_NO_DISPLAY = "Failed to initialize video capture/encoding. Is a display connected and turned on?"
_NO_CIPHER = "Encryption is mandatory for this host but unsupported by the client"
_REFUSED = "The client is not authorized. Certificate verification failed."


def distance(address: str) -> str:
    """``pc``, ``lan`` or ``wan`` (bind-address.txt)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.is_loopback:
        return "pc"
    near = ["192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16"]
    near += ["fc00::/7", "fe80::/64"]
    return "lan" if any(ip in ipaddress.ip_network(n) for n in near) else "wan"


class GameStream:
    """What a Moonlight client asks."""

    def __init__(
        self,
        config: Config,
        log: Log,
        state: State,
        pairing: Pairing,
        apps: Apps,
        streams: Streams,
    ):
        self._config, self._log, self._state = config, log, state
        self._pairing, self._apps, self._streams = pairing, apps, streams
        self._video = streams.video
        self._one = threading.Lock()

    def http(self, request: Request) -> Answer | None:
        """The plain port: only serverinfo and pairing."""
        if request.method == "GET" and request.path == "/serverinfo":
            return _answer(self._serverinfo(request, secure=False))
        if request.method == "GET" and request.path == "/pair":
            return self._pair(request)
        return _answer(xml(404))

    def https(self, request: Request) -> Answer | None:
        """The TLS port: an unpaired certificate gets an answer that says so, with status 200."""
        assert request.certificate is not None
        if not self._state.admits(request.certificate):
            body = xml(401, query="", status_message=_REFUSED)
            return _answer(body)
        if request.path == "/pair":
            return self._pair(request)
        simple = {
            "/serverinfo": lambda: self._serverinfo(request, secure=True),
            "/applist": self._applist,
            "/launch": lambda: self._launch(request),
            "/resume": lambda: self._resume(request),
            "/cancel": self._cancel,
        }
        found = simple.get(request.path)
        if request.method != "GET" or found is None:
            return _answer(xml(404))
        with self._one:  # the real one handles one request at a time on this port
            return _answer(found())

    def _pair(self, request: Request) -> Answer | None:
        try:
            body = self._pairing.request(request.query)
        except (KeyError, ValueError):
            return None
        return None if body is None else _answer(body)

    def _serverinfo(self, request: Request, secure: bool) -> str:
        running = self._apps.running()
        fields: dict[str, object] = {
            "hostname": self._config.name,
            "appversion": "7.1.431.-1",
            "GfeVersion": "3.23.0.74",
            "uniqueid": self._state.unique_id,
            "HttpsPort": self._config.port - 5,
            "ExternalPort": self._config.port,
            "MaxLumaPixelsHEVC": 1869449984 if self._video.hevc_mode > 1 else 0,
            "mac": "00:00:00:00:00:00",
            "LocalIP": request.local if ":" not in request.local else "127.0.0.1",
            "ServerCodecModeSupport": self._video.codecs,
        }
        if self._config.text("external_ip"):
            fields["ExternalIP"] = self._config.text("external_ip")
        fields["PairStatus"] = int(secure and "uniqueid" in request.query)
        fields["currentgame"] = running
        fields["state"] = f"SUNSHINE_SERVER_{'BUSY' if running else 'FREE'}"
        return xml(200, fields)

    def _applist(self) -> str:
        hdr = int(self._video.hevc_mode >= 3)
        start = '<?xml version="1.0" encoding="utf-8"?>\n<root status_code="200">'
        parts = [
            xml(200, {"IsHdrSupported": hdr, "AppTitle": a.name, "ID": a.id})
            .partition(">")[2]
            .partition(">")[2]
            .removesuffix("</root>")
            for a in self._apps.apps
        ]
        return start + "".join(f"<App>{p}</App>" for p in parts) + "</root>"

    def _launch(self, request: Request) -> str:
        query = request.query
        if not {"rikey", "rikeyid", "localAudioPlayMode", "appid"} <= query.keys():
            return xml(400, {"resume": 0}, status_message="Missing a required launch parameter")
        if self._apps.running():
            return xml(400, {"resume": 0}, status_message="An app is already running on this host")
        if not self._streams.count and not self._video.ready():
            return xml(503, {"gamesession": 0}, status_message=_NO_DISPLAY)
        launch = Launch.of(query, request.certificate or b"")
        if not self._may_be_plain(request, launch):
            return xml(403, {"gamesession": 0}, status_message=_NO_CIPHER)
        number = int(query["appid"] or 0)
        if number > 0:
            failed = self._apps.execute(number, launch.environment)
            if failed:
                why = "Failed to start the specified application"
                return xml(failed, {"gamesession": 0}, status_message=why)
        self._streams.expect(launch)
        return xml(200, {"sessionUrl0": self._url(request, launch), "gamesession": 1})

    def _resume(self, request: Request) -> str:
        if not self._apps.running():
            return xml(503, {"resume": 0}, status_message="No running app to resume")
        if not {"rikey", "rikeyid"} <= request.query.keys():
            return xml(400, {"resume": 0}, status_message="Missing a required resume parameter")
        if not self._streams.count and not self._video.ready():
            return xml(503, {"resume": 0}, status_message=_NO_DISPLAY)
        launch = Launch.of(request.query, request.certificate or b"")
        if not self._may_be_plain(request, launch):
            return xml(403, {"gamesession": 0}, status_message=_NO_CIPHER)
        self._streams.expect(launch)
        return xml(200, {"sessionUrl0": self._url(request, launch), "resume": 1})

    def _cancel(self) -> str:
        self._streams.end_all()
        self._apps.terminate()
        return xml(200, {"cancel": 1})

    def _may_be_plain(self, request: Request, launch: Launch) -> bool:
        wan = distance(request.remote) == "wan"
        mode = self._config.number(f"{'wan' if wan else 'lan'}_encryption_mode", int(wan), 0, 2)
        if mode == 2 and not launch.encrypted:
            self._log.error(
                "Rejecting client that cannot comply with mandatory encryption requirement"
            )
            return False
        return True

    def _url(self, request: Request, launch: Launch) -> str:
        scheme = "rtspenc" if launch.encrypted else "rtsp"
        host = f"[{request.local}]" if ":" in request.local else request.local
        return f"{scheme}://{host}:{self._config.port + 21}"


def _answer(body: str) -> Answer:
    return Answer(body, close=True)
