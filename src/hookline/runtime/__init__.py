"""What keeps processes running: fleet, supervisor, HTTP server, broker."""
