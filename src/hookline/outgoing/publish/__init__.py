"""A message, until its deliveries are written."""
