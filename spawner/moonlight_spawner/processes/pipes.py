"""The way to a program's standard input."""

from __future__ import annotations

import asyncio
import contextlib


def tell(stdin: asyncio.StreamWriter | asyncio.WriteTransport, data: bytes) -> None:
    """Write to it, unless the program has closed it: for uvloop that is an error."""
    if not stdin.is_closing():
        stdin.write(data)


def tell_all(stdin: asyncio.WriteTransport, data: bytes) -> None:
    """The same, and that nothing more comes."""
    tell(stdin, data)
    if not stdin.is_closing():
        stdin.write_eof()


async def closed(stdin: asyncio.StreamWriter) -> None:
    """Close it, and hear what becomes of it: that a program has ended meanwhile is no error. What
    nobody hears of, Python logs when it clears up, in the middle of whatever it does (measured, 3.11.2)."""
    stdin.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await stdin.wait_closed()
