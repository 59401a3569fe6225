"""The kill tests: real processes, broken at random moments while load runs, and then everything is accounted for.

`make faults` runs all of it, `make faults-short` a few minutes' worth. docs/reliability.md explains the method.
"""
