"""Access: who may do what through the API. Keys, what they may do, and how a request's key is found."""
