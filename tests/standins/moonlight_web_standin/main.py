"""The command line of ``web-server``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import ssl
import sys
from pathlib import Path

from aiohttp import web

from . import VERSIONS, major
from .config import load
from .data import Data
from .schema import Wrong
from .server import WebServer

#: How long TERM is not obeyed while a WebSocket is open.
_TERM_SECONDS = 30.0
_LEVELS = {"OFF": 100, "ERROR": 40, "WARN": 30, "INFO": 20, "DEBUG": 10, "TRACE": 5}


def main(argv: list[str]) -> None:
    which = major()
    parser = argparse.ArgumentParser("web-server")
    parser.add_argument(
        "-V", "--version", action="version", version=f"web-server {VERSIONS[which]}"
    )
    parser.add_argument("-c", "--config-path", type=Path, default=Path("server/config.json"))
    parser.add_argument("command", nargs="*", default=["run"])
    options = parser.parse_args(argv[1:])
    try:
        config = load(options.config_path, which)
    except Wrong as e:
        print(f"thread 'main' panicked: invalid file: {e}", file=sys.stderr)
        sys.exit(101)
    if options.command in (["print-config"], ["config", "print"]):
        print(json.dumps(config, indent=2))
        return
    level = _LEVELS[config["log"]["level_filter"].upper()]
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    try:
        data = Data(Path(config["data_storage"]["path"]), which)
    except Wrong as e:
        print(f"ERROR data did not match any variant of untagged enum Json: {e}", file=sys.stderr)
        sys.exit(0)
    server = config["web_server"]
    context = None
    if server["certificate"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(
            server["certificate"]["certificate_pem"], server["certificate"]["private_key_pem"]
        )
    host, port = server["bind_address"]
    application = WebServer(config, data, which).application()
    try:
        web.run_app(
            application,
            host=host,
            port=port,
            ssl_context=context,
            print=None,
            shutdown_timeout=_TERM_SECONDS,
        )
    except OSError as e:
        print(f"ERROR {os.strerror(e.errno or 0)} (os error {e.errno})", file=sys.stderr)
        sys.exit(0)
