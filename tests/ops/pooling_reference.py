"""What the tests of pooling share: the windows of an image, in plain Python."""


def windows(x, pool_size, strides, padding):
    """Yields (rows, [columns, ...]) for every row of windows: slices of x (N, H, W, C)."""
    kernel = pool_size if isinstance(pool_size, tuple) else (pool_size, pool_size)
    stride = kernel if strides is None else strides if isinstance(strides, tuple) else (strides, strides)
    slices = []
    for size, k, s in zip(x.shape[1:3], kernel, stride, strict=True):
        count = -(-size // s) if padding == "same" else (size - k) // s + 1
        before = max((count - 1) * s + k - size, 0) // 2 if padding == "same" else 0
        starts = [o * s - before for o in range(count)]
        slices.append([slice(max(start, 0), min(start + k, size)) for start in starts])
    for rows in slices[0]:
        yield rows, slices[1]
