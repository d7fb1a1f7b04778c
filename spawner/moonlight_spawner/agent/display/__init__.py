"""The X server of a session, and what the agent itself does there."""
