"""What all tests share. Real services are started by the folders' own fixtures."""

from __future__ import annotations

pytest_plugins = ["tests.cluster.fixtures", "tests.support.reachable", "tests.support.site"]
