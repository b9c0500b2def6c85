import gc
import os

import numpy as np
import pytest

import lamina as lm
from lamina import _cpu, backend

DTYPES = [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, bool]


@pytest.fixture
def pool():
    """An empty pool, with its own cap afterwards."""
    gc.collect()
    cap = _cpu.pool_stats()["cap"]
    _cpu.pool_trim()
    yield _cpu.pool_stats
    _cpu.pool_set_cap(cap)


def address(array):
    return array.__array_interface__["data"][0]


def resident_pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


# empty and its kin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (3, 5), (7, 0, 2), (1000, 1001), (1,) * 32])
def test_empty(shape, dtype):
    array = backend.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert array.shape == shape
    assert array.dtype == dtype
    assert address(array) % 64 == 0
    assert array.flags.c_contiguous
    assert array.flags.writeable
    array.fill(1)
    assert (array == 1).all()


def test_shapes_and_dtypes_may_be_given_in_other_ways():
    assert backend.empty(5).shape == (5,)
    assert backend.empty([2, np.int32(3)]).shape == (2, 3)
    assert backend.empty(2).dtype == np.float32
    assert backend.empty(2, "int16").dtype == np.int16
    assert backend.empty_like(np.ones((2, 3), np.int8).T).shape == (3, 2)


def test_arrays_at_once_do_not_overlap():
    arrays = [backend.full((n,), n) for n in range(1, 300)]
    for n, array in enumerate(arrays, 1):
        assert (array == n).all()


def test_zeros_full_and_from_pool():
    backend.full((100,), 3.0)  # what is freed here would show below
    assert not backend.zeros((100,)).any()
    assert (backend.full((3,), 2.5, np.float64) == 2.5).all()
    assert (backend.from_pool(np.arange(6).reshape(2, 3)) == np.arange(6).reshape(2, 3)).all()


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((2**40, 2**40), ValueError, "the number of bytes overflows"),
        ((2**62,), ValueError, "the number of bytes overflows"),
        (2**64, MemoryError, "its sizes pass 64 bits"),
        ((-1,), ValueError, "negative size -1"),
        ((3, -2), ValueError, "negative size -2"),
        ((1,) * 33, ValueError, "more than 32 dimensions"),
        ((1.5,), TypeError, "integer"),
        ("ab", TypeError, "integer"),
    ],
)
def test_impossible_shapes(shape, error, message):
    with pytest.raises(error, match=message):
        backend.empty(shape)


@pytest.mark.parametrize("dtype", [object, [("x", object)], np.dtypes.StringDType()])
def test_no_objects(dtype):
    with pytest.raises(TypeError, match="object arrays are not pooled"):
        backend.empty((3,), dtype)


def test_both_of_c_s_64_bit_integers_are_indices():
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    for name in ("l", "q"):  # long and long long: dtypes that are equal, and have different numbers
        places = np.array([2, 0], name)
        np.testing.assert_array_equal(lm.ops.take(x, places, axis=0).numpy(), x[[2, 0]])
        losses = [lm.ops.softmax_cross_entropy(x[:2], labels).item() for labels in (places % 2, [0, 0])]
        assert losses[0] == losses[1]


@pytest.mark.parametrize("shape", [(2**50,), (2**58,)])
def test_out_of_memory_is_an_error_that_says_how_much(shape, pool):
    before = pool()["in_use"]
    with pytest.raises(MemoryError, match=f"cannot allocate {shape[0] * 4} bytes"):
        backend.empty(shape)
    assert pool()["in_use"] == before
    assert backend.empty((10,)).shape == (10,)  # and life goes on


# contiguous


@pytest.mark.parametrize("dtype", [np.float32, ">f8", np.int32, ">i2", bool])
def test_contiguous(dtype):
    plain = np.arange(24).reshape(4, 6).astype(dtype)
    odd = np.zeros(24 * plain.itemsize + 1, np.uint8)[1:].view(dtype).reshape(4, 6)
    odd[...] = plain
    for array in (plain.T, plain[::2, ::-1], np.broadcast_to(plain[0], (3, 6)), odd, plain):
        ready = backend.contiguous(array)
        assert ready.flags.c_contiguous
        assert ready.flags.aligned
        assert ready.dtype.isnative
        np.testing.assert_array_equal(ready, array)


def test_contiguous_copies_only_if_it_must():
    plain = np.ones((3, 4), np.float32)
    assert backend.contiguous(plain) is plain
    plain.flags.writeable = False
    assert backend.contiguous(plain) is plain


@pytest.mark.parametrize(
    "value", [np.zeros(2, object), np.zeros(2, complex), np.zeros(2, np.longdouble), ["a"], [None]]
)
def test_no_numbers_are_refused(value):
    with pytest.raises(TypeError, match="expected an array of numbers"):
        backend.as_array(value)


# The pool


def test_memory_is_used_again(pool):
    first = backend.empty((1000,))
    where = address(first)
    del first
    before = pool()
    second = backend.empty((990,))  # of the same size class
    after = pool()
    assert address(second) == where
    assert after["hits"] == before["hits"] + 1
    assert after["allocations"] == before["allocations"] + 1


def test_a_view_keeps_its_memory(pool):
    view = backend.full((1000,), 7.0)[10:20]
    others = [backend.zeros((1000,)) for _ in range(5)]
    assert (view == 7).all()
    assert len(others) == 5


def test_stats_add_up(pool):
    before = pool()
    array = backend.empty((1 << 20,), np.uint8)
    used = pool()["in_use"] - before["in_use"]
    assert 1 << 20 <= used <= 1.25 * (1 << 20)
    del array
    assert pool()["in_use"] == before["in_use"]
    assert pool()["cached"] == before["cached"] + used


def test_waste_is_at_most_a_quarter(pool):
    for size in [*range(64, 2000, 7), 10**6, 10**6 + 1, 10**7]:
        before = pool()["in_use"]
        array = backend.empty((size,), np.uint8)
        assert array.size <= pool()["in_use"] - before <= max(64, 1.25 * size)
        del array


def megabytes(count):
    return backend.empty((int(count * (1 << 20)),), np.uint8)


def test_large_memory_serves_any_size(pool):
    whole = megabytes(24)
    held = pool()["in_use"] + pool()["cached"]
    del whole
    parts = [megabytes(size) for size in (5.5, 3.2, 8.1, 2.7, 4.1)]
    assert all(address(part) % 64 == 0 for part in parts)
    for value, part in enumerate(parts):
        part.fill(value)
    assert [set(part[:: 1 << 16].tolist()) for part in parts] == [{0}, {1}, {2}, {3}, {4}]
    del part, parts[1:4]  # three neighbours
    joined = megabytes(13.9)
    assert pool()["in_use"] + pool()["cached"] == held
    del parts, joined
    whole = megabytes(24)
    assert pool()["in_use"] + pool()["cached"] == held
    assert whole.size == 24 << 20


def test_the_smallest_range_that_fits_is_cut(pool):
    parts = [megabytes(size) for size in (1.5, 6, 1.5, 3, 1.5)]
    large, small = address(parts[1]), address(parts[3])
    parts[1] = parts[3] = None
    first, second = megabytes(2.5), megabytes(2.5)
    assert 0 <= address(first) - small < 1 << 20
    assert 0 <= address(second) - large < 6 << 20


def test_a_part_of_large_memory_is_trimmed(pool):
    before = pool()["in_use"]
    array = megabytes(24)
    del array
    _cpu.pool_trim(10 << 20)
    assert 9 << 20 < pool()["cached"] <= 10 << 20
    hits = pool()["hits"]
    array = megabytes(9)
    array.fill(1)  # what was kept is still there
    assert pool()["hits"] == hits + 1
    del array
    _cpu.pool_trim()
    assert pool()["cached"] == 0
    assert pool()["in_use"] == before


def test_memory_of_a_training_step(pool):
    """Activations of many sizes, gradients of others: what is held is little more than what lives at once."""
    images, pixels, channels = 8, 72, (40, 56, 72, 88, 104, 120)
    layers = [
        layer
        for count in channels
        for layer in (lm.layers.Conv2D(count, 1, use_bias=False), lm.layers.BatchNormalization(), lm.layers.ReLU())
    ]
    model = lm.Sequential([lm.Input((pixels, pixels, 3)), *layers, lm.layers.GlobalAveragePooling2D()])
    model.compile(optimizer="adam", loss="mse")
    x = np.zeros((images, pixels, pixels, 3), np.float32)
    y = np.zeros((images, channels[-1]), np.float32)
    _cpu.pool_trim()
    before = pool()["in_use"]
    for _ in range(3):
        model.train_on_batch(x, y)
    held = pool()["in_use"] + pool()["cached"] - before
    image = 4 * images * pixels * pixels
    alive = 3 * image * sum(channels) + 2 * image * channels[-1]  # what layers gave, and two gradients of the last
    assert alive < held < 1.2 * alive


def test_trim(pool):
    arrays = [backend.empty((1 << 20,), np.uint8) for _ in range(8)]
    del arrays
    assert pool()["cached"] >= 8 << 20
    _cpu.pool_trim(4 << 20)
    assert pool()["cached"] <= 4 << 20
    _cpu.pool_trim()
    assert pool()["cached"] == 0


def test_the_cap_leaves_room_for_others(pool):
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGESIZE")
    assert pool()["cap"] <= min(4 << 30, memory // 4)


def test_cap(pool):
    _cpu.pool_set_cap(1 << 20)
    arrays = [backend.empty((1 << 18,), np.uint8) for _ in range(20)]
    del arrays
    assert 0 < pool()["cached"] <= 1 << 20
    _cpu.pool_set_cap(0)
    assert pool()["cached"] == 0
    backend.empty((100,))
    assert pool()["cached"] == 0


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
def test_memory_is_flat(pool):
    random = np.random.default_rng(0)
    sizes = random.integers(1, 60_000, 10_000)

    def cycles():
        kept = [None] * 16
        for i, size in enumerate(sizes.tolist()):
            kept[i % 16] = backend.full((size,), 1.0)

    cycles()
    before = resident_pages()
    in_use = pool()["in_use"]
    for _ in range(3):
        cycles()
    assert pool()["in_use"] == in_use
    assert resident_pages() - before < 256  # pages: a megabyte


# Devices, and the runtime's names


def test_devices():
    assert lm.tensor([1.0]).device == "cpu"
    with pytest.raises(ValueError, match='expected device "cpu" or "cuda", got \'tpu\''):
        lm.tensor([1.0], device="tpu")
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        backend.kernels([1.0])


def test_isa():
    for isa in _cpu.isas():
        lm.set_isa(isa)
        assert lm.isa() == isa
    with pytest.raises(ValueError, match="set_isa: expected 'portable', 'v3' or 'v4', got 'v5'"):
        lm.set_isa("v5")


@pytest.mark.parametrize(
    "make",
    [
        lambda: lm.ops.zeros((2**70,)),
        lambda: lm.ops.repeat(np.ones(3), 2**62),
        lambda: lm.random.normal((2**70,)),
        lambda: lm.ops.tile(np.ones((2, 2)), (2**70, 1)),
    ],
)
def test_sizes_past_64_bits(make):
    with pytest.raises(MemoryError, match=r"cannot allocate an array of shape .* its sizes pass 64 bits"):
        make()
