"""Start, half-dead starts and the end of the process (port-taken.txt, bind-address.txt)."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from . import VERSION, knobs
from .apps import Apps
from .config import Config, Unusable, address_words, read
from .display import Video
from .gamestream import GameStream
from .identity import create
from .log import Log
from .pairing import Pairing
from .rest import Rest
from .rtsp import Rtsp
from .state import Credentials, State
from .streams import Streams
from .web import Server, listen, tls

#: What port-taken.txt shows most often; rtsp never ends the process.
_RECORDED = {"https": "exit", "http": "half-dead", "web": "exit", "rtsp": "half-dead"}
_WHERE = (
    "[system:{number} at /usr/include/boost/asio/detail/reactive_socket_service.hpp:161:5 in "
    "function 'boost::system::error_code boost::asio::detail::reactive_socket_service<Protocol>"
    "::bind(implementation_type&, const endpoint_type&, boost::system::error_code&)']"
)


def main(argv: list[str]) -> None:
    """Runs until a signal ends it; the exit codes are the recorded ones."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    log = Log()
    try:
        config = read(argv, log)
        log.open(config.paths["log_path"], config.text("min_log_level", "info"))
    except Unusable as e:
        log.early("info", str(e))
        sys.exit(0)  # env-failures.txt: rc 0 whatever cannot be written
    except OSError as e:
        log.early("info", f"Failed to apply config: {e}")
        sys.exit(0)
    log.info(f"Sunshine version: {VERSION} commit: local")
    log.info("Package Publisher: Third Party Publisher")
    log.info("Publisher Website: ")
    log.info("Get support: https://app.lizardbyte.dev/support")
    for name, value in config.values.items():
        log.info(f"config: '{name}' = {value}")
    if config.command:
        sys.exit(_command(config, log))
    Process(config, log, argv).run()


def _command(config: Config, log: Log) -> int:
    name, *words = config.command
    if name == "version":
        return 0  # the version was logged already
    if name == "creds":
        if len(words) >= 2:
            Credentials(config.paths["credentials_file"], log).save(words[0], words[1])
        return 0
    if name == "help":
        log.plain("Usage: sunshine [options] [/path/to/configuration_file] [--cmd]")
        return 0
    log.fatal(f"Unknown command: {name}")
    return 7


class Process:
    """Everything that one Sunshine process owns."""

    def __init__(self, config: Config, log: Log, argv: list[str]):
        self._config, self._log, self._argv = config, log, argv
        self._apps = Apps(config.paths["file_apps"], log)
        self._video = Video(config, log)
        self._state = State(config.paths["file_state"], log)
        self._credentials = Credentials(config.paths["credentials_file"], log)
        self._streams = Streams(config, log, self._video, self._apps)
        self._servers: list[Server | Rtsp] = []
        self._half_dead = False
        self._stop = threading.Event()
        self._pairing: Pairing | None = None

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._asked)
        signal.signal(signal.SIGINT, self._asked)
        self._apps.load()
        self._video.begin()
        pkey, cert = self._config.paths["pkey"], self._config.paths["cert"]
        if not pkey.exists() or not cert.exists():
            try:
                create(pkey, cert)
            except OSError as e:
                self._log.error(f"Couldn't open [{e.filename}]")
                self._log.fatal("HTTP interface failed to initialize")
                sys.exit(0)
        self._credentials.load()
        self._log.info("No main thread features enabled, skipping event loop")
        self._log.error("Failed to create client: Daemon not running")
        time.sleep(knobs.number("START_SECONDS"))
        self._state.load()
        self._open(pkey, cert)
        while not self._stop.wait(0.5):
            pass
        self._end()

    def _open(self, pkey: Path, cert: Path) -> None:
        """All four ports; which stay open when one is taken is what the recordings show."""
        config, log = self._config, self._log
        words = address_words(config.bind)
        if words:
            log.error(words)
            log.fatal(f"Couldn't bind RTSP server to port [{config.port + 21}], Invalid argument")
            os.abort()
        self._pairing = pairing = Pairing(self._state, pkey, cert)
        game = GameStream(config, log, self._state, pairing, self._apps, self._streams)
        rest = Rest(
            config, log, self._state, self._credentials, pairing, self._apps, self._streams,
            self._again, VERSION,
        )  # fmt: skip
        sockets: dict[str, socket.socket] = {}
        taken: dict[str, OSError] = {}
        offsets = {"https": -5, "http": 0, "web": 1, "rtsp": 21}
        for name, offset in offsets.items():
            try:
                if name == "rtsp" and config.family == "both" and ":" not in config.bind:
                    raise OSError(errno.EINVAL, "Invalid argument")
                sockets[name] = listen(config.bind, config.family, config.port + offset)
            except OSError as e:
                taken[name] = e
        if taken:
            self._taken(taken, sockets)
        if "https" in sockets:
            context = tls(pkey, cert, clients=True)
            self._servers.append(Server(sockets["https"], game.https, context))
        if "http" in sockets:
            self._servers.append(Server(sockets["http"], game.http))
        if "rtsp" in sockets:
            self._servers.append(Rtsp(sockets["rtsp"], config, log, self._streams))
        if "web" in sockets:
            server = Server(sockets["web"], rest.handle, tls(pkey, cert, clients=False))
            self._servers.append(server)
            shown = config.text("bind_address", "localhost")
            log.info(f"Configuration UI available at [https://{shown}:{config.port + 1}]")
        for started in self._servers:
            started.start()

    def _taken(self, taken: dict[str, OSError], sockets: dict[str, socket.socket]) -> None:
        """port-taken.txt: rc 0, or alive with some of the ports and no way to see it."""
        port = self._config.port
        for name, error in taken.items():
            where = _WHERE.format(number=error.errno)
            words = os.strerror(error.errno or 0)
            if name == "rtsp":
                self._log.fatal(f"Couldn't bind RTSP server to port [{port + 21}], {words}")
            elif name == "web":
                start = f"Couldn't start Configuration HTTPS server on port [{port + 1}]"
                self._log.fatal(f"{start}: bind: {words} {where}")
            else:
                start = f"Couldn't start http server on ports [{port - 5}, {port - 5}]"
                self._log.fatal(f"{start}: bind: {words} {where}")
        first = next(iter(taken))
        how = knobs.text("TAKEN")
        if how == "random":
            how = random.choice(["exit", "half-dead"])
        elif how == "recorded":
            how = _RECORDED[first] if len(taken) < 4 else "exit"
        if first == "rtsp":
            how = "half-dead"
        if how == "exit":
            time.sleep(0.1)
            sys.exit(0)
        self._half_dead = True
        left = {
            "https": {"http", "web"},
            "http": {"web"},
            "web": {"https"},
            "rtsp": {"https", "http", "web"},
        }[first]
        for name in list(sockets):
            if name not in left:
                sockets.pop(name).close()

    def _asked(self, number: int, _frame: object) -> None:
        name = "Terminate" if number == signal.SIGTERM else "Interrupt"
        self._log.info(f"{name} handler called")
        self._stop.set()

    def _end(self) -> None:
        if self._half_dead:
            time.sleep(knobs.number("FORCE_SECONDS"))
            self._log.fatal("10 seconds passed, yet Sunshine's still running: Forcing shutdown")
            signal.signal(signal.SIGTRAP, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTRAP)
        self._streams.finish()
        self._apps.terminate()
        for server in self._servers:
            server.close()
        hang = knobs.text("TERM_HANG")
        paired = self._pairing is not None and self._pairing.seen > 0
        if hang == "always" or (hang == "pairing" and paired):
            while True:  # sigterm-while-pairing.txt: alive, 0 % CPU, only KILL helps
                signal.pause()
        if self._video.died_idle:
            os.abort()  # x-server-death.txt: -6 in the end
        sys.stdout.flush()
        os._exit(0)

    def _again(self) -> None:
        """/api/restart: the same process starts anew."""
        self._streams.finish()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
