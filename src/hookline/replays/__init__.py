"""Replays: doing again what was done, many at a time, at a rate and by workers, so that a kill loses nothing."""
