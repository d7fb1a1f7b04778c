"""An invitation's text: what of it is taken, and where it may lead; what a ticket is worth."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from moonlight_jupyter.guest import ticket
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.session import now
from moonlight_spawner.sessions.invited import BEGINS, Invited, Nodes, Way, read, target_of

ANY, HERE = Nodes((), False), Nodes((), True)
PIN, TOKEN = "ab" * 32, "t" * 43


def text(*said: Any) -> str:
    data = json.dumps(said).encode()
    return BEGINS + base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_it_is_taken_alone_in_a_link_and_broken_into_lines() -> None:
    whole = text(["n1", "10.1.2.3"], 48186, PIN, TOKEN)
    way = Way(hosts=["n1", "10.1.2.3"], port=48186, pin=PIN)
    folded = "\n ".join(whole[at : at + 40] for at in range(0, len(whole), 40))
    for said in (whole, f"https://portal/moonlight/join#{whole}", folded):
        assert read(said, ANY) == (way, TOKEN)
    target = target_of(way, ANY, "bearer")
    assert target.away and target.pin.hex() == PIN and target.certificate is None


@pytest.mark.parametrize(
    "said",
    [
        *(None, 7, "", BEGINS, BEGINS + "x", "x" * 5000, text(), text(1, 2, 3, 4)),
        *(text(["n1"], port, PIN, TOKEN) for port in (22, 443, 1023, 65536, "x", None)),
        *(text(["n1"], 5000, pin, TOKEN) for pin in ("", "ab", "zz" * 32, PIN + "\n")),
        *(text(["n1"], 5000, PIN, token) for token in ("", "x&a=b" * 9, TOKEN + "\n", None)),
        text(["n1"] * 9, 5000, PIN, TOKEN),
    ],
)
def test_what_is_none_is_not(said: Any) -> None:
    with pytest.raises(InvalidRequest):
        read(said, HERE)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "x.localhost.", "0.0.0.0"),
        *("224.0.0.1", "2130706433", "", "a b", "n1/x", "n1:80"),
    ],
)
def test_it_leads_to_nodes_only(host: str) -> None:
    with pytest.raises(InvalidRequest):
        read(text([host], 5000, PIN, TOKEN), ANY)
    way, _ = read(text([host, "n1"], 5000, PIN, TOKEN), ANY)
    assert way.hosts == ["n1"]


def test_a_site_names_its_nodes() -> None:
    nodes = Nodes(("n*.cluster", "10.1.0.0/16", "fd00::/8"), False)
    hosts = [
        "n1.cluster",
        "N2.Cluster.",
        "evil",
        "n1.cluster.evil",
        "10.1.9.9",
        "10.2.0.1",
        "fd00::1",
    ]
    assert nodes.of(hosts) == ["n1.cluster", "N2.Cluster.", "10.1.9.9", "fd00::1"]


def test_a_ticket_is_its_users_and_counts_as_long_as_the_invitation() -> None:
    way = Way(hosts=["n1"], port=5000, pin=PIN)
    invited = Invited(way=way, bearer=TOKEN, role="view", until=now() + timedelta(minutes=9))
    sealed = ticket.seal("secret", "bob", invited)
    assert ticket.unseal("secret", sealed) == ("bob", invited)
    assert ticket.unseal("another", sealed) is None
    for wrong in ("", "x", sealed[:-2], sealed + "ä", "A" + sealed[1:]):
        assert ticket.unseal("secret", wrong) is None
    over = invited.model_copy(update={"until": now() - timedelta(seconds=1)})
    assert ticket.unseal("secret", ticket.seal("secret", "bob", over)) is None
