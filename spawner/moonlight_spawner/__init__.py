"""Launches, runs and remembers GPU desktop sessions; knows nothing of any web server.

The one entrance for every door is :class:`moonlight_spawner.sessions.manager.SessionManager`.
"""

__version__ = "0.1.0"
