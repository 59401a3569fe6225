"""Operations: every use-case once, under every face. One file per noun.

A face (command line, admin, API) parses, calls an operation, and prints. Each operation that changes something takes
the actor first, writes one audit entry in the same transaction, and wakes the workers that it makes work for.
"""
