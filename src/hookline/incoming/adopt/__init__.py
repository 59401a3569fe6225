"""Taking over an existing table of webhook deliveries as events, with nothing of its history lost."""
