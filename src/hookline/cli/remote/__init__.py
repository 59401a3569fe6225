"""Commands that talk to a Hookline elsewhere: `hookline --server URL --key K ...`, over its management API."""
