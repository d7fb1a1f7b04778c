"""Services of two machines behind one nginx, restarted one after the other as docs/operations.md has it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.nginx import Nginx
from tests.support.redis import redis_server
from tests.support.waiting import PATIENCE, wait_for

from .front import site_nginx
from .place import Place, free_ports

SESSIONS = "/api/moonlight/sessions"


class Page:
    """Asks all the time, as pages and programs do; ``answers`` are the statuses."""

    def __init__(self, nginx: Nginx, login: dict[str, str]):
        self.answers: list[int] = []
        self._enough = threading.Event()
        self._asking = threading.Thread(target=self._ask, args=(nginx, login))

    def __enter__(self) -> Page:
        self._asking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._asking.join()

    def goes_on(self) -> None:
        asked = len(self.answers)
        wait_for(lambda: len(self.answers) > asked + 4)

    def _ask(self, nginx: Nginx, login: dict[str, str]) -> None:
        with httpx.Client(
            base_url=nginx.origin, verify=False, headers=login, timeout=PATIENCE
        ) as client:
            while not self._enough.wait(0.05):
                self.answers.append(client.get(SESSIONS).status_code)


@pytest.fixture
def services(place: Place, tmp_path: Path) -> Iterator[tuple[Nginx, Place, Place]]:
    with redis_server() as server:
        word = server.password_file(
            place.config.parent / "service/redis.password", place.side.service
        )
        settings: dict[str, Any] = server.settings(word) | {"portal_requests_per_minute": 6000}
        try:
            with place.beside(**settings) as one, place.beside("portal-2", **settings) as two:
                (https,) = free_ports(1)
                beside = two.port, two.signaling
                with site_nginx(tmp_path, https, one.port, one.signaling, beside=beside) as nginx:
                    yield nginx, one, two
        finally:
            word.unlink()


def _asked(service: Place) -> bool:
    told = httpx.get(f"{service.origin}/metrics", timeout=PATIENCE).text
    return f'moonlight_requests_total{{method="GET",route="{SESSIONS}"' in told


def test_one_after_the_other_and_nobody_notices(
    place: Place, services: tuple[Nginx, Place, Place]
) -> None:
    """Not even whose request is under way in the moment in which a service is told to end."""
    nginx, *both = services
    login = {"Authorization": f"Bearer {place.token(place.bob)}"}
    with Page(nginx, login) as page:
        for service in both:
            page.goes_on()
            with _under_way(service, login["Authorization"]) as rest:
                assert service.process
                service.process.terminate()
                wait_for(lambda service=service: "ending: " in service.log.read_text())
                page.goes_on()
                assert rest().startswith("HTTP/1.1 400 "), "it was left without an answer"
                assert service.process.wait(PATIENCE) == 0
            service.start()
            wait_for(lambda service=service: _asked(service))  # nginx leads to it again
        page.goes_on()
    assert set(page.answers) == {200}, page.answers


@contextlib.contextmanager
def _under_way(service: Place, login: str) -> Iterator[Callable[[], str]]:
    """A launch that has come and has not all of its body yet; what is given sends the rest, which makes no
    sense, and gives the first line of the answer."""
    head = ["POST /api/moonlight/sessions HTTP/1.1", "Host: portal", f"Authorization: {login}"]
    head += ["Content-Length: 9", "Expect: 100-continue", "", ""]
    with socket.create_connection(("127.0.0.1", service.port), PATIENCE) as connection:
        answers = connection.makefile("r", newline="\r\n")
        connection.sendall("\r\n".join(head).encode())
        assert " 100 " in answers.readline()
        answers.readline()

        def rest() -> str:
            connection.sendall(b"no sense.")
            return answers.readline()

        yield rest
