"""What happened, as frozen records, and `emit`; sinks count it, trace it and tell those who want to know."""
