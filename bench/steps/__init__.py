"""Whole training steps and predictions."""
