"""The ways in which senders prove themselves, as bases for providers to state their particulars on."""
