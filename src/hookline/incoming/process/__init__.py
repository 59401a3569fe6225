"""An event, from its claim to the commit of its handlers."""
