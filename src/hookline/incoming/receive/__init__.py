"""A webhook in, until it is stored and acknowledged."""
