"""Processes that stand in for programs that a test machine does not have."""
