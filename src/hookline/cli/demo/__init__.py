"""`hookline serve --demo`: a webhook comes in, a handler runs, a message goes out, and every step is shown."""
