"""How the messages that are sent are signed. Pure: keys, bytes and the time are arguments."""
