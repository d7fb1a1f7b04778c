"""What a session's stream gives on its node, beside what TigerVNC gives there: on displays of their own,
so that nothing that its user has open is touched."""
