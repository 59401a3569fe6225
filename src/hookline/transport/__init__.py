"""Guarded HTTP requests: the one way in which Hookline connects to a host that somebody else named."""
