"""A delivery, from its claim to the record of its attempt."""
