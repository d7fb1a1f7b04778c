"""What a store of session records has to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeVar

from ..session import Model

Part = Literal["facts", "job", "stop", "end", "seen", "missed"]
M = TypeVar("M", bound=Model)


class Store(ABC):
    """Records of sessions, in parts (:mod:`moonlight_spawner.records`).

    Methods are short and synchronous: a record is a few hundred bytes.
    """

    @abstractmethod
    def claim_key(self, user: str, request_key: str, session_id: str) -> str:
        """The session that owns ``request_key``: ``session_id`` if the key was free.

        Called within :meth:`exclusively`, together with the writing of the session's facts.
        """

    @abstractmethod
    def release_key(self, user: str, request_key: str) -> None:
        """Forget a key whose session came to nothing, so that a retry may try again."""

    @abstractmethod
    def exclusively(self, user: str) -> AbstractAsyncContextManager[None]:
        """While it is entered no other process of the user is in it."""

    @abstractmethod
    def put(self, user: str, session_id: str, part: Part, data: Model) -> None:
        """Write a part, replacing what was there."""

    @abstractmethod
    def put_once(self, user: str, session_id: str, part: Part, data: Model) -> bool:
        """Write a part unless it is there; True if this call wrote it."""

    @abstractmethod
    def get(self, user: str, session_id: str, part: Part, model: type[M]) -> M | None:
        """A part, or None if there is none."""

    @abstractmethod
    def ids(self, user: str) -> list[str]:
        """Ids of the user's sessions."""

    @abstractmethod
    def remove(self, user: str, session_id: str) -> None:
        """Forget a session and its request key."""
