"""The pure part: standard library and `cryptography` only. No Django, no I/O, never reads the clock."""
