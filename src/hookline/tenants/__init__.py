"""Tenants: the customers or organisations that sources and endpoints belong to."""
