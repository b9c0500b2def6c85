"""IDX files, whole and broken."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina as lm


def short(value):
    """The beginning of a case, as its name."""
    return repr(value)[:24]


def refusal(call):
    """The message of the ValueError, or nothing where it was read; any other exception is a failure."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def idx(array, code=8):
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize(("code", "dtype"), [(8, "u1"), (9, "i1"), (11, "i2"), (12, "i4"), (13, "f4"), (14, "f8")])
@pytest.mark.parametrize("packed", [False, True])
def test_round_trip(tmp_path, code, dtype, packed):
    array = (np.arange(24).reshape(2, 3, 4) - 5).astype(dtype)
    data = idx(array, code)
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data) if packed else data)
    read = lm.data.read_idx(path)
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.dtype(dtype)
    assert read.dtype.isnative


WHOLE = idx(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("data", "message"), [
    (b"", "cut short: expected 4 bytes of magic number, got 0"), (b"\0\0\x08", "cut short"),
    (b"\x01" + WHOLE[1:], "is no IDX file"), (b"\0\0\x07" + WHOLE[3:], "is no IDX file"),
    (b"\0\0\x08\0" + WHOLE[4:], "1 to 8 dimensions, got 0"), (b"\0\0\x08\xff" + WHOLE[4:], "1 to 8 dimensions"),
    (WHOLE[:9], "cut short: expected 8 bytes of sizes"),
    (WHOLE[:-1], "(expected 12 bytes of data for shape .3, 4.|cut short)"),
    (WHOLE + b"x", "(expected 12 bytes of data|after the end)"),
    (b"\0\0\x08\x04" + b"\xff" * 16 + bytes(9), "more than the limit"),
    (b"\0\0\x08\x02" + struct.pack(">2I", 30000, 30000) + bytes(9), "expected 900000000 bytes of data"),
], ids=short)  # fmt: skip
def test_refuses(tmp_path, data, message, packed):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(ValueError, match=message) as caught:
        lm.data.read_idx(path)
    assert str(path) in str(caught.value)


def test_refuses_before_taking_memory(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2**31) + bytes(1000)))
    tracemalloc.start()
    with pytest.raises(ValueError, match="2147483648"):
        lm.data.read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 22


def test_damaged_gzip(tmp_path):
    data = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, 5000).astype(np.uint8)))
    path = tmp_path / "a"
    for damaged in (
        data[:-9],
        data[: len(data) // 2],
        data[:500] + bytes(8) + data[508:],
        data[:-6] + b"\1" + data[-5:],
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"(damaged or cut short|expected|is no IDX|cut short)"):
            lm.data.read_idx(path)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="limit of 100"):
        lm.data.read_idx(path, limit=100)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        lm.data.read_idx(tmp_path / "none")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, begin):
    path = tmp_path_factory.mktemp("idx") / "a"
    path.write_bytes(b"\0\0" + data if begin else data)
    message = refusal(lambda: lm.data.read_idx(path))
    assert not message or str(path) in message


def write_mnist(folder, labels=None, suffix=""):
    rng = np.random.default_rng(1)
    for part, count in (("train", 5), ("t10k", 3)):
        files = {f"{part}-images-idx3-ubyte": rng.integers(0, 256, (count, 28, 28)),
                 f"{part}-labels-idx1-ubyte": rng.integers(0, 10, labels or count)}  # fmt: skip
        for name, array in files.items():
            data = idx(array.astype(np.uint8))
            (folder / f"{name}{suffix}").write_bytes(gzip.compress(data) if suffix else data)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist(tmp_path, suffix):
    write_mnist(tmp_path, suffix=suffix)
    (x, y), (x_test, y_test) = lm.data.read_mnist(tmp_path)
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((5, 28, 28, 1), (5,), (3, 28, 28, 1), (3,))
    assert (x.dtype, y.dtype) == (np.uint8, np.int64)


def test_mnist_refuses(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images"):
        lm.data.read_mnist(tmp_path)
    write_mnist(tmp_path, labels=4)
    with pytest.raises(ValueError, match="expected 5 labels"):
        lm.data.read_mnist(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(WHOLE)
    with pytest.raises(ValueError, match=r"expected pictures \(N, H, W\)"):
        lm.data.read_mnist(tmp_path)


def test_shapes_that_are_empty_and_huge(tmp_path):
    """Their product is 0, so the file's size fits; NumPy has no such arrays."""
    path = tmp_path / "a"
    path.write_bytes(b"\0\0\x08\x04" + struct.pack(">4I", 0, 2**32 - 1, 2**32 - 1, 2**32 - 1))
    with pytest.raises(ValueError, match=r"a: an array cannot have shape \(0, 4294967295"):
        lm.data.read_idx(path)
    path.write_bytes(b"\0\0\x08\x02" + struct.pack(">2I", 0, 5))
    assert lm.data.read_idx(path).shape == (0, 5)


def test_what_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(WHOLE)

    def refuse(file, *arguments, **kwargs):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(PermissionError, match=r"Permission denied: .*a'"):
        lm.data.read_idx(path)


def test_folders_are_no_files(tmp_path):
    for read in (lm.data.read_idx, lm.data.read_npz, lm.data.read_csv):
        with pytest.raises(FileNotFoundError, match="there is no file"):
            read(tmp_path)
