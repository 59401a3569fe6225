"""Durable jobs in a table. Knows rows and time, not webhooks."""
