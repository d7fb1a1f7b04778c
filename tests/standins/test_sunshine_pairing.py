"""Pairing is real: a client can pair, and a wrong PIN fails although the API says true."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE, STILL

from .client import GameStreamError, Identity, PairingFailed
from .sunshine_running import Sunshine, sunshine
from .sunshine_standin.identity import HOST, generate
from .sunshine_standin.state import password_hash

_UUID = "E1BBC202-F996-4567-8601-766DB63D84CF"
_ROOT = "522B1E7C-350A-4FA2-8C07-E06A3732C7BE"
_NO_HANG = {"STANDIN_SUNSHINE_TERM_HANG": "never"}


def _state(identity: Identity, **change: Any) -> dict[str, Any]:
    """sunshine_state.preseeded.json; a value of None takes the key away."""
    device = {"name": "preseeded", "cert": identity.cert, "uuid": _UUID, "enabled": "true"}
    device = {k: v for k, v in {**device, **change}.items() if v is not None}
    return {"root": {"uniqueid": _ROOT, "named_devices": [device]}}


def test_pairing_with_the_right_pin(tmp_path: Path) -> None:
    """pair-ok.txt, api-clients-list-1.txt, sunshine_state.paired.json"""
    with sunshine(tmp_path) as host:
        client = host.client()
        with pytest.raises(GameStreamError, match="401: The client is not authorized"):
            client.serverinfo(secure=True)
        host.pair(client)
        assert client.serverinfo(secure=True)["PairStatus"] == "1"
        assert client.server_cert == (tmp_path / "cert.pem").read_text()
        (paired,) = host.clients()
        assert (paired["enabled"], paired["name"]) == (True, "refclient")
        text = host.state.read_text()
        root = json.loads(text)["root"]
        cert = client.identity.cert.replace("\n", "\\n").replace("/", "\\/")
        assert text == (
            '{\n    "root": {\n'
            f'        "uniqueid": "{root["uniqueid"]}",\n        "named_devices": [\n'
            '            {\n                "name": "refclient",\n'
            f'                "cert": "{cert}",\n'
            f'                "uuid": "{paired["uuid"]}",\n'
            '                "enabled": "true"\n            }\n        ]\n    }\n}\n'
        )


def test_a_wrong_pin_is_true_and_fails(tmp_path: Path) -> None:
    """sunshine.md: success shows only in the client list."""
    with sunshine(tmp_path) as host:
        with pytest.raises(PairingFailed, match="Incorrect PIN"):
            host.pair(host.client(), "1234", given="4321")
        assert host.clients() == []


def test_two_pending_at_once_both_fail(tmp_path: Path) -> None:
    with sunshine(tmp_path) as host:
        failed = []

        def attempt(pin: str) -> None:
            try:
                host.client().pair(pin)
            except PairingFailed as e:
                failed.append(str(e))

        threads = [threading.Thread(target=attempt, args=(pin,)) for pin in ("1111", "2222")]
        for thread in threads:
            thread.start()
            time.sleep(0.4)
        for pin in ("1111", "2222"):
            host.post("/api/pin", {"pin": pin, "name": "x"})
        for thread in threads:
            thread.join()
        assert len(failed) == 2
        assert host.clients() == []


def test_a_pending_request_ends_and_a_late_pin_is_true(tmp_path: Path) -> None:
    """pin-pending-timeout.txt, pin-late-400s.txt"""
    environment = {"STANDIN_SUNSHINE_PAIR_SECONDS": "0.5", **_NO_HANG}
    with sunshine(tmp_path, environment=environment) as host:
        with pytest.raises(PairingFailed, match="Server returned nothing"):
            host.client().pair("1234")
        assert host.post("/api/pin", {"pin": "1234", "name": "x"}).json == {"status": True}
        assert host.clients() == []
        assert host.term() == 0


def test_term_hangs_after_a_pairing(tmp_path: Path) -> None:
    """sigterm-while-pairing.txt"""
    with sunshine(tmp_path) as host:
        host.pair(host.client())
        with pytest.raises(subprocess.TimeoutExpired):
            host.term(STILL)
        host.process.kill()
        assert host.process.wait(PATIENCE) == -9


def test_term_without_pairing(tmp_path: Path) -> None:
    """no-display.txt: rc 0, and nothing to be waited for as after a pairing."""
    with sunshine(tmp_path) as host:
        assert host.term() == 0
        assert host.lines("Terminate handler called")


def test_an_ec_key_breaks_pairing(tmp_path: Path) -> None:
    """offline-credentials.txt"""
    key, cert = generate(HOST, curve=True)
    (tmp_path / "pkey.pem").write_text(key)
    (tmp_path / "cert.pem").write_text(cert)
    with sunshine(tmp_path) as host:
        with pytest.raises(PairingFailed, match="MITM attack detected"):
            host.pair(host.client())


@pytest.mark.parametrize(
    ("variant", "change", "enabled", "admitted"),
    [
        ("full", {}, True, True),
        ("boolenabled", {"enabled": True}, True, True),
        ("noenabled", {"enabled": None}, True, True),
        ("notrailingnl", {"cert": "strip"}, True, True),
        ("crlf", {"cert": "crlf"}, True, True),
        ("disabled", {"enabled": "false"}, False, False),
        ("badcert", {"cert": "nonsense"}, True, False),
    ],
)
def test_preseeded_clients(
    tmp_path: Path, variant: str, change: dict[str, Any], enabled: bool, admitted: bool
) -> None:
    """preseed-variants.txt"""
    identity = Identity.new()
    certs = {"strip": identity.cert.strip(), "crlf": identity.cert.replace("\n", "\r\n")}
    if "cert" in change:
        change = {"cert": certs.get(change["cert"], change["cert"])}
    with sunshine(tmp_path, state=_state(identity, **change)) as host:
        assert host.clients() == [{"enabled": enabled, "name": "preseeded", "uuid": _UUID}]
        client = host.client(identity)
        if admitted:
            assert [app.title for app in client.apps()] == ["Desktop", "Sleeper"]
        else:
            with pytest.raises(GameStreamError) as refused:
                client.apps()
            assert refused.value.status == 401
        assert host.term() == 0


def test_preseeded_without_uuid_aborts(tmp_path: Path) -> None:
    """preseed-variants.txt nouuid"""
    state = _state(Identity.new(), uuid=None)
    with sunshine(tmp_path, state=state, start=False) as host:
        assert host.process.wait(PATIENCE) == -6
        assert "No such node (uuid)" in host.output
        assert "Found H.264 encoder: libx264 [software]" in host.output


def test_preseeded_without_uniqueid_is_ignored(tmp_path: Path) -> None:
    """preseed-variants.txt nouniqueid, oldformat"""
    identity = Identity.new()
    state = _state(identity)
    del state["root"]["uniqueid"]
    with sunshine(tmp_path / "a", state=state) as host:
        assert host.clients() == []
    old = {"root": {"uniqueid": _ROOT, "devices": [{"uniqueid": "x", "certs": [identity.cert]}]}}
    with sunshine(tmp_path / "b", state=old) as host:
        assert [c["name"] for c in host.clients()] == [""]
        assert host.client(identity).apps()


def test_the_id_changes_until_the_first_pairing(tmp_path: Path) -> None:
    def unique(host: Sunshine) -> str:
        return host.client().serverinfo()["uniqueid"]

    seen = []
    for _ in range(2):
        with sunshine(tmp_path, environment=_NO_HANG) as host:
            seen.append(unique(host))
    with sunshine(tmp_path, environment=_NO_HANG) as host:
        host.pair(host.client())
        seen.append(unique(host))
    with sunshine(tmp_path) as host:
        assert unique(host) == seen[2]
    assert len(set(seen)) == 3


def test_credentials_written_offline(tmp_path: Path) -> None:
    """offline-credentials.txt, combined_state_and_credentials.json"""
    right = password_hash("s3cret", "0e95065f73fd6712")
    for name, word, status in [
        ("right", right, 200),
        ("lower", right.lower(), 401),
        ("order", bytes.fromhex(right)[::-1].hex().upper(), 401),
    ]:
        identity = Identity.new()
        given = {"username": "admin", "salt": "0e95065f73fd6712", "password": word}
        folder = tmp_path / name
        folder.mkdir()
        state = {**given, **_state(identity)}
        with sunshine(folder, state=state, credentials_file="", environment=_NO_HANG) as host:
            host.state.chmod(0o600)
            assert host.get("/api/clients/list").status == status
            if status == 200:
                host.pair(host.client())
                kept = json.loads(host.state.read_text())
                assert {k: kept[k] for k in given} == given
                assert len(kept["root"]["named_devices"]) == 2
                assert host.state.stat().st_mode & 0o777 == 0o600


def test_creds_command(tmp_path: Path) -> None:
    """sunshine.md: --creds, configuration first; readable by everybody."""
    with sunshine(tmp_path) as host:
        assert host.term() == 0
        (tmp_path / "credentials.json").unlink()
        host.start("--creds", "me", "secret")
        assert host.process.wait(PATIENCE) == 0
        assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o644
        host.start()
        host.ready()
        assert host.get("/api/apps", auth="me:secret").status == 200


def test_unpair_and_disable(tmp_path: Path) -> None:
    with sunshine(tmp_path) as host:
        client = host.client()
        host.pair(client)
        uuid = host.clients()[0]["uuid"]
        host.post("/api/clients/update", {"uuid": uuid, "enabled": False})
        with pytest.raises(GameStreamError):
            client.apps()
        host.post("/api/clients/update", {"uuid": uuid, "enabled": True})
        assert client.apps()
        assert host.post("/api/clients/unpair", {"uuid": "nobody"}).json == {"status": False}
        assert host.post("/api/clients/unpair", {"uuid": uuid}).json == {"status": True}
        with pytest.raises(GameStreamError):
            client.apps()
