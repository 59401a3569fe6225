"""Rows and SQL without jobs."""
