"""How fast a session is, beside its peers: ``python -m bench``.

Everything runs on the loopback of one machine, and every figure is a ratio to a direct connection
or a peer in the same run, because a figure of its own says more about the machine than about us.
"""
