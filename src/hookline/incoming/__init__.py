"""Webhooks that arrive: verified, deduplicated, stored, then processed exactly once in effect."""
