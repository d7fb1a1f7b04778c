"""Batch systems behind one small interface (:mod:`.base`).

Nothing is loaded here: the local runner lies below, and a launch waits for its start.
"""
