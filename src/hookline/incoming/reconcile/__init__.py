"""Reconciling: a sender's own record of what it sent, held against what arrived."""
