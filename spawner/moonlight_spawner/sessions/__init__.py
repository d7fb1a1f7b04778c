"""The one entrance for every door, and the ways behind it."""
