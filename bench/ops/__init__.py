"""One file an op."""
