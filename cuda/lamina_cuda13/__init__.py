"""Lamina's kernels for NVIDIA GPUs with CUDA 13, as a distribution of their own. Lamina finds it by itself."""

__version__ = "0.1.0"  # Lamina takes no other than its own
