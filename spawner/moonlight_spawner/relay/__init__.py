"""HTTP and WebSocket relaying, used by the gateway on the node and by the Jupyter extension.

A request is checked once, at its head; after that bytes flow between two sockets with
backpressure, and nothing is held whole in memory.
"""
