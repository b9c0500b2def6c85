"""Reverse-mode differentiation: tensors, functions, the tape."""
