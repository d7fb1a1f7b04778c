"""What a user's side answers, as far as it is believed: its user may have made all of it up."""

from __future__ import annotations

import re

from ..model.errors import NotFound, UserSideFailed, shorten
from ..model.records import AgentStatus, SessionRecord
from ..model.session import Gateway, Model, Session, may_be_of, now
from ..sessions.nodes import no_nodes_address

_MOST_ADDRESSES = 16
# The largest part has the steps of a start and a certificate: a few kilobytes.
_MOST_PART_BYTES = 64 << 10
_MOST_CERTIFICATE = 16384
_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*", re.ASCII
)
_JOB_ID = re.compile(r"[A-Za-z0-9_.+-]{1,100}", re.ASCII)


def check_id(user: str, session_id: str) -> None:
    if not may_be_of(user, session_id):
        raise NotFound(f"There is no session {session_id[:80]} of {user}.")


def own_session(user: str, session: Session, session_id: str | None = None) -> Session:
    if session.user != user or not may_be_of(user, session.session_id):
        raise not_believed(user, "it has a session of somebody else")
    if session_id is not None and session.session_id != session_id:
        raise not_believed(user, "it has another session than was asked for")
    if session.slurm_job_id is not None and not _JOB_ID.fullmatch(session.slurm_job_id):
        raise not_believed(user, "a session's job has no id of a job")
    return session


def own_record(user: str, record: SessionRecord, local: bool) -> SessionRecord:
    """A record that the user's side has sent, as far as it can be his: of a session of his, with no
    gateway that the service would not go to, and with no word from the future, which would be the
    newest for good.

    Raises
    ------
    UserSideFailed
    """
    facts, status = record.facts, record.status
    if facts.user != user or not may_be_of(user, facts.session_id):
        raise not_believed(user, "it has a session of somebody else")
    if record.job is not None and not _JOB_ID.fullmatch(record.job.job_id):
        raise not_believed(user, "a session's job has no id of a job")
    for _, part in record:
        if isinstance(part, Model) and len(part.model_dump_json()) > _MOST_PART_BYTES:
            raise not_believed(user, f"a part of a record has over {_MOST_PART_BYTES} bytes")
    if record.seen and (record.job is None or record.seen.job.job_id != record.job.job_id):
        record.seen = None
    if status:
        own_status(status, local)
    facts.created_at = min(facts.created_at, now())
    if record.name and record.name.at:
        record.name.at = min(record.name.at, now())
    return record


def own_status(status: AgentStatus, local: bool) -> None:
    """Leave out of an agent's words what nobody may have the service believe."""
    if status.gateway and wrong_gateway(status.gateway, local):
        status.gateway = None
    status.started_at, status.beat = min(status.started_at, now()), min(status.beat, now())


def wrong_gateway(gateway: Gateway, local: bool) -> str:
    """Why the service does not go there; empty if it does. A user must not have it knock at others'
    doors: those of the portal's own machine above all. What is there hears a TLS greeting at most."""
    if not 1024 <= gateway.port < 65536:
        return f"has port {gateway.port}, which no user's program can have"
    if len(gateway.certificate) > _MOST_CERTIFICATE or not _PEM.fullmatch(gateway.certificate):
        return "has no certificate"
    if not 0 < len(gateway.hosts) <= _MOST_ADDRESSES:
        return f"has {len(gateway.hosts)} addresses"
    for host in gateway.hosts:
        if wrong := no_nodes_address(host, local):
            which = "the portal's machine itself" if wrong == "here" else wrong
            return f"has the address {shorten(host)}, which is {which}"
    return ""


def not_believed(user: str, why: str) -> UserSideFailed:
    return UserSideFailed(f"What {user}'s side answered cannot be believed: {why}.")


__all__ = ["check_id", "not_believed", "own_record", "own_session", "own_status", "wrong_gateway"]
