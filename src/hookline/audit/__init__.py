"""Audit: who changed what, and when. One entry for each operation, in the transaction of what it changed."""
