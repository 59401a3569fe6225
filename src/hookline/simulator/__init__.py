"""Plays a sender to a consumer: duplicates, races, forgeries and lost answers, and says which guarantee broke.

`run.simulate` is the flow. A *sequence* is what happens in a sender's business, event by event; a *history* is how it
reaches the consumer; a *scenario* makes histories for one *guarantee*; a *probe* looks at what the consumer did.
"""
