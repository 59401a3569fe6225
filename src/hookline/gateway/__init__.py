"""The gateway sends events of a source on to endpoints: the only place below operations that knows both directions."""
