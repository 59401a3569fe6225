"""The signature doctor: which mistake explains that a request was refused. For the operator only, never for a caller.

It never runs while a request is answered: `explain` is called when somebody looks at a Rejection.
"""
