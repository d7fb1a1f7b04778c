"""The setting ``files``, tried by a client that asks for what its page does not offer."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from base64 import b64encode
from pathlib import Path

from websockets.asyncio.client import connect as connect_websocket

from tests.cluster.users import TestUser
from tests.relay.wires import Answer

from .conftest import Launch
from .sessions import AgentSession, settings

UP = ["/api/upload", "/api//upload", "/api/%75pload", "/API/upload", "/node/n1/80/api/upload"]
DOWN = ["/api/files/secret.txt", "/api/files/", "/api/%66iles/secret.txt", "//api/files/secret.txt"]
DOWN += ["/./api/files/secret.txt", "/api/files", "/node/n1/80/api/files/secret.txt"]


def upload(session: AgentSession, path: str) -> Answer:
    head = f"X-Upload-Path: {path.replace('/', '-')}.txt\r\nContent-Length: 4\r\n"
    return session.ask(path, session.token, head, method="POST", body=b"text")


def past_the_gateway(session: AgentSession, head: str, body: bytes = b"") -> bytes:
    """What selkies itself says, on its socket."""
    runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(runtime / "selkies.sock"))
        connection.sendall(head.encode() + b"Host: x\r\nConnection: close\r\n\r\n" + body)
        return connection.makefile("rb").read()


def test_files_go_the_agents_way_alone_and_as_the_site_allows(
    launch: Launch, user: TestUser
) -> None:
    """What selkies has of its own is closed, whoever asks for it."""
    desktop = user.home / "Desktop"
    shutil.rmtree(desktop, ignore_errors=True)
    session = launch(env=settings(user, files="to_desktop"))
    assert session.wait_running().files == "to_desktop"
    (desktop / "secret.txt").write_text("the secret")
    before = set(desktop.iterdir())

    asyncio.run(_ask_for_all(session))
    ups = {path: upload(session, path).status for path in UP}
    downs = {path: session.ask(path, session.token) for path in DOWN}
    head = "POST /api/upload HTTP/1.1\r\nX-Upload-Path: direct.txt\r\nContent-Length: 4\r\n"
    assert b" 403 " in past_the_gateway(session, head, b"text")
    direct = past_the_gateway(session, "GET /api/files/secret.txt HTTP/1.1\r\n")
    assert b" 403 " in direct and b"the secret" not in direct
    assert set(ups.values()) == {403} and set(desktop.iterdir()) == before, ups
    assert {answer.status for answer in downs.values()} == {403}, downs
    code = json.loads(downs["/api/files/secret.txt"].body)["error"]["code"]
    assert code == "files_off"

    tus = "Tus-Resumable: 1.0.0\r\n"
    about = f"{tus}Upload-Length: 4\r\nUpload-Metadata: filename {b64encode(b'a.txt').decode()}\r\n"
    made = session.ask("/files/uploads", session.token, about, method="POST")
    where = "/files/" + made.header("location")
    sent = f"{tus}Upload-Offset: 0\r\nContent-Length: 4\r\n"
    sent += "Content-Type: application/offset+octet-stream\r\n"
    done = session.ask(where, session.token, sent, method="PATCH", body=b"text")
    assert done.header("moonlight-file") == "~/Desktop/a.txt", done
    [came] = set(desktop.iterdir()) - before
    assert came.read_text() == "text" and came.stat().st_uid == user.uid
    asked = b'{"at": "~/Desktop/secret.txt"}'
    length = f"Content-Length: {len(asked)}\r\n"
    refused = session.ask("/files/fetch", session.token, length, method="POST", body=asked)
    assert (refused.status, json.loads(refused.body)["error"]["code"]) == (403, "files_off")


async def _ask_for_all(session: AgentSession) -> None:
    """A client that tells the server its own wish as to files."""
    context = ssl.create_default_context(cadata=session.gateway.certificate)
    context.check_hostname = False
    async with connect_websocket(
        f"wss://127.0.0.1:{session.gateway.port}/signaling",
        ssl=context,
        server_hostname="",
        additional_headers={"Authorization": f"Bearer {session.token}"},
        max_size=None,
        proxy=None,
    ) as stream:
        wish = {"displayId": "primary", "initialClientWidth": 1024, "initialClientHeight": 768}
        wish |= {"file_transfers": ["upload", "download"], "upload_dir": "/"}
        await stream.send("SETTINGS," + json.dumps(wish))
        await stream.send("FILE_UPLOAD_START:ws.txt:4")
        await stream.send(b"\x01text")
        await stream.send("FILE_UPLOAD_END:ws.txt")
        async for message in stream:
            if isinstance(message, bytes) and message[:1] == b"\x04":
                return
