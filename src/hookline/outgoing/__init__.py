"""Webhooks that are sent: stored with the business data, then delivered at least once."""
