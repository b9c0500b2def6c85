"""Keras computes with PyTorch here: one peer to install."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
