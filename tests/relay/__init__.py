"""The relay and the gateway on real sockets: what passes, what never does, and how much is held."""
