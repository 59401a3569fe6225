"""What follows an event once its handlers are committed: work that must not be in their transaction."""
