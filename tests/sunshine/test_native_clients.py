"""A native client pairs by PIN, is proven by the list, and is known to later sessions."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psutil
import pytest

from tests.standins.client import Client, Identity, PairingFailed
from tests.support.cli import UserCli
from tests.support.gateway import SessionGateway
from tests.support.waiting import PATIENCE, wait_for, wait_until

NATIVE = {"MOONLIGHT_HPC_NATIVE_CLIENTS": "true"}


def pair(gateway: SessionGateway, client: Client, typed: str) -> tuple[int, dict[str, Any]]:
    """The client asks and shows the PIN 1234; the user types ``typed`` into the page."""
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(client.pair("1234"))
        except PairingFailed as e:
            outcome.append(e)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    said: list[tuple[int, Any]] = []

    def taken() -> bool:
        said[:] = [gateway.json("/control/native/pin", "POST", {"pin": typed, "name": "Laptop"})]
        return said[0][0] != 409

    assert wait_until(taken, interval=0.1), "the client never waited"
    asking.join(PATIENCE)
    assert isinstance(outcome[0], str if typed == "1234" else PairingFailed)
    return said[0]


DOCUMENT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}


@contextmanager
def owner(gateway: SessionGateway) -> Iterator[httpx.Client]:
    """His browser, logged in by a form of a portal's card that leads to the pairing page."""
    with httpx.Client(base_url=gateway.url, verify=False, timeout=PATIENCE) as browser:
        answer = browser.post("/login", data={"token": gateway.token, "to": "native"})
        assert (answer.status_code, answer.headers["location"]) == (303, "./native")
        yield browser


@pytest.fixture
def native(alice: UserCli) -> tuple[SessionGateway, dict[str, Any]]:
    """A running session that takes native clients: its gateway, and where it listens."""
    session = alice.wait(alice.create(env=NATIVE)["session_id"], "running")
    gateway = SessionGateway(alice, session)
    status, where = gateway.json("/control/native")
    assert status == 200 and where["available"]
    assert where["port"] == session["sunshine_port"]
    return gateway, where


def test_a_right_pin_pairs_and_later_sessions_know_the_client(
    alice: UserCli, native: tuple[SessionGateway, dict[str, Any]]
) -> None:
    gateway, where = native
    assert where["clients"] == []
    identity = Identity.new()
    client = Client(where["address"], where["port"], identity)
    status, paired = pair(gateway, client, "1234")
    assert (status, paired["name"]) == (200, "Laptop")
    assert client.serverinfo(secure=True)["PairStatus"] == "1"
    known_as = client.serverinfo()["uniqueid"]

    alice.stop_all()
    later = alice.wait(alice.create(env=NATIVE)["session_id"], "running")
    gateway = SessionGateway(alice, later)
    _, where = gateway.json("/control/native")
    assert [c["name"] for c in where["clients"]] == ["Laptop"]
    # The client keeps the host's certificate and its id: both are the same again.
    again = Client(where["address"], where["port"], identity, client.server_cert)
    assert again.serverinfo(secure=True)["PairStatus"] == "1"
    assert again.serverinfo()["uniqueid"] == known_as

    uuid = where["clients"][0]["uuid"]
    assert gateway.json(f"/control/native/clients/{uuid}", "DELETE")[0] == 200
    assert gateway.json("/control/native")[1]["clients"] == []
    memory = gateway.directory.parent / "paired-clients.json"
    assert memory.read_text() == "[]"
    assert memory.stat().st_mode & 0o777 == 0o600


def test_a_client_removed_in_one_session_does_not_come_back_by_another(
    alice: UserCli, native: tuple[SessionGateway, dict[str, Any]]
) -> None:
    first, where = native
    status, lost = pair(first, Client(where["address"], where["port"], Identity.new()), "1234")
    assert status == 200
    second = SessionGateway(alice, alice.wait(alice.create(env=NATIVE)["session_id"], "running"))
    _, where = second.json("/control/native")
    assert [c["uuid"] for c in where["clients"]] == [lost["uuid"]]
    assert first.json(f"/control/native/clients/{lost['uuid']}", "DELETE")[0] == 200

    status, other = pair(second, Client(where["address"], where["port"], Identity.new()), "1234")
    assert status == 200
    memory = json.loads((second.directory.parent / "paired-clients.json").read_text())
    assert [client["uuid"] for client in memory] == [other["uuid"]]
    assert second.json(f"/control/native/clients/{other['uuid']}", "DELETE")[0] == 200


def test_a_wrong_pin_is_not_taken_for_a_pairing(
    alice: UserCli, native: tuple[SessionGateway, dict[str, Any]]
) -> None:
    gateway, where = native
    client = Client(where["address"], where["port"], Identity.new())
    status, answer = pair(gateway, client, "9999")
    assert status == 422
    assert "did not accept the PIN" in answer["message"]
    assert gateway.json("/control/native")[1]["clients"] == []
    # A pairing that was pending makes Sunshine deaf to TERM: the session ends all the same.
    alice.stop_all()


def test_a_pin_is_four_digits_and_somebody_has_to_wait_for_it(
    native: tuple[SessionGateway, dict[str, Any]],
) -> None:
    gateway, _ = native
    for pin in ["", "123", "12345", "abcd", 1234, None, "\uff11\uff12\uff13\uff14", "1234; id"]:
        status, answer = gateway.json("/control/native/pin", "POST", {"pin": pin})
        assert (status, answer["fields"][0]["field"]) == (400, "pin"), pin
    status, answer = gateway.json("/control/native/pin", "POST", {"pin": "1234"})
    assert (status, answer["code"]) == (409, "no_client_waits")


def test_a_pin_is_typed_into_the_gateways_own_page_and_into_no_other(
    alice: UserCli, native: tuple[SessionGateway, dict[str, Any]]
) -> None:
    gateway, where = native
    # What a job of Open OnDemand's is told for the card that leads there.
    job = alice.user.home / "job"
    job.mkdir(exist_ok=True)
    (job / "session.json").write_text(json.dumps({"session_id": gateway.directory.name}))
    for path in (job, job / "session.json"):
        os.chown(path, alice.user.uid, alice.user.gid)
    told = alice.run("ood", "wait", "--pid", str(os.getpid()), str(job))
    port = gateway.url.rpartition(":")[2]
    words = [port, gateway.token, gateway.directory.name, where["address"], str(where["port"])]
    assert told.stdout.split() == words, told.stderr
    assert httpx.get(f"{gateway.url}/native", verify=False, headers=DOCUMENT).status_code == 401
    with owner(gateway) as browser:
        # Other users' pages behind the same portal are sent with his cookie: they get nothing.
        for refused in (
            browser.get("/native"),
            browser.get("/native", headers={**DOCUMENT, "Sec-Fetch-Dest": "iframe"}),
            browser.get("/native", headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}),
            browser.post("/native", data={"pin": "1234", "name": "theirs"}),
            browser.post("/native", data={"pin": "1234", "name": "theirs", "page": "guess"}),
            browser.get("/native", headers={**DOCUMENT, "Origin": "https://evil.example.org"}),
        ):
            assert refused.status_code == 403 and "form" not in refused.text
        page = browser.get("/native", headers=DOCUMENT)
        assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
        assert f"{where['address']}, port {where['port']}" in page.text
        [token] = re.findall(r'name="page" value="([^"]+)"', page.text)
        assert (
            "페어링" in browser.get("/native", headers={**DOCUMENT, "Accept-Language": "ko"}).text
        )
        wrong = browser.post("/native", data={"page": token, "pin": "<b>", "name": "x"})
        assert wrong.status_code == 400 and "the four digits" in wrong.text

        client = Client(where["address"], where["port"], Identity.new())
        asking = threading.Thread(target=client.pair, args=("1234",), daemon=True)
        asking.start()
        data = {"page": token, "pin": "1234", "name": "Laptop (mine)"}
        paired = wait_for(
            lambda: (got := browser.post("/native", data=data)).status_code != 409 and got
        )
        asking.join(PATIENCE)
        assert paired.status_code == 200 and "Paired: Laptop (mine)." in paired.text
    assert [c["name"] for c in gateway.json("/control/native")[1]["clients"]] == ["Laptop (mine)"]


def test_a_site_without_native_clients_has_no_panel_and_stays_on_loopback(alice: UserCli) -> None:
    session = alice.wait(alice.create()["session_id"], "running")
    gateway = SessionGateway(alice, session)
    assert gateway.json("/control/native")[0] == 404
    with owner(gateway) as browser:
        page = browser.get("/native", headers=DOCUMENT)
        assert page.status_code == 404 and "This site takes no native clients" in page.text
    ports = {session["sunshine_port"] + offset for offset in (-5, 0, 1, 21, 15)}
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    found = {address.ip for address in listening if address.port in ports}
    assert found == {"127.0.0.1"}


def test_the_browser_streams_beside_native_clients(
    native: tuple[SessionGateway, dict[str, Any]],
) -> None:
    """Sunshine listens on the node's address only, so the browser's client has to go there too."""
    gateway, _ = native
    assert gateway.video("/signaling", app=958645192, frames=5) == 5
