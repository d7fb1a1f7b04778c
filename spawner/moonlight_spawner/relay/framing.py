"""Who may show a desktop in a frame: pages of this very portal, whatever others say.

The viewer shows the stream in a frame, so everything that its address may answer (the client, a
redirect, an error's page) has to allow that. A browser obeys every policy that it is sent, so one
more would not help: a Hub's single-user server forbids frames to all its answers, and the streaming
host may have a policy of its own.
"""

from __future__ import annotations

from .headers import Headers

POLICY = "frame-ancestors 'self'"
#: For what no page of ours shows in a frame, where pages of other users are of the same origin (a Hub
#: without host names of its users' own): in a frame of theirs they read the XSRF value of the server.
NOBODY = "frame-ancestors 'none'"
#: The header that says the same in an older way; some portals set it for the whole server.
OLDER = "X-Frame-Options"
_POLICIES = (b"content-security-policy", b"content-security-policy-report-only")


def own_origin_only(headers: Headers) -> Headers:
    """An answer's headers with this word on frames and no other."""
    return [*without_framing(headers), (b"content-security-policy", POLICY.encode())]


def without_framing(headers: Headers) -> Headers:
    """The host's headers without its word on frames; the rest of its policy stays.

    A header may hold several policies with a comma between (Content Security Policy Level 3).
    """
    kept = []
    for name, value in headers:
        if name == OLDER.lower().encode():
            continue
        if name in _POLICIES:
            value = b", ".join(filter(None, map(_without_ancestors, value.split(b","))))
            if not value:
                continue
        kept.append((name, value))
    return kept


def _without_ancestors(policy: bytes) -> bytes:
    directives = [directive.strip() for directive in policy.split(b";")]
    return b"; ".join(d for d in directives if d and d.split()[0].lower() != b"frame-ancestors")
