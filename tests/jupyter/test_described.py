"""The server answers as its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.support.fuzzing import fuzz

from .sessions import Records


async def test_as_the_document_says(
    http_server_client: Any,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
    records: Records,
    tmp_path: Path,
) -> None:
    port = http_server_client.get_http_port()
    document = f"http://127.0.0.1:{port}{jp_base_url}api/moonlight/openapi.json"
    login = jp_auth_header["Authorization"]
    await asyncio.to_thread(fuzz, document, login, tmp_path, {"path.session_id": records.add()}, 10)
