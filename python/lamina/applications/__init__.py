"""Classic architectures, one paper a file."""
