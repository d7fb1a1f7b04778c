"""What both ends of the way between a portal and a node hold to."""

from __future__ import annotations

#: Ports of a session, one after the other (:mod:`moonlight_spawner.agent.node.claims`).
PORT_BLOCK = 32
# A text's bytes: one property of X holds what one request carries, more would need the incremental
# protocol; and an answer has room for as many bytes as JSON escapes (relay.upstream.MAX_ANSWER_BYTES).
MAX_CLIPBOARD_BYTES = 170_000
#: Of a request's body to a gateway itself: that text, escaped, and to spare.
MAX_BODY_BYTES = 2 << 20
#: Of an agent's status where it is sent: the steps, a certificate and some notes are a few KiB.
MAX_STATUS_BYTES = 64 << 10
#: Of the small picture of a desktop.
MAX_PICTURE_BYTES = 100_000
#: The smallest screen, in pixels.
MIN_WIDTH, MIN_HEIGHT = 640, 480

#: In the comment of a job that ended because nobody used its desktop.
IDLE_MARK = "moonlight:end=idle"
