"""Benchmarks: Lamina beside PyTorch, each in a process of its own, in turns. See docs/benchmarks.md."""
