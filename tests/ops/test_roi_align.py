import math

import numpy as np
import pytest

import lamina as lm
from op_testing import check_op

BOXES = np.array(  # eight bits each: bfloat16 has them too
    [
        [0.3125, 0.4375, 5.1875, 6.125],
        [2.0, 1.0, 2.0, 1.0],  # without area
        [-3.125, -2.1875, 4.4375, 3.3125],  # over the edge
        [1.1875, 3.4375, 16.875, 14.3125],
        [30.0, 30.0, 40.0, 41.0],  # outside
        [0.0, 0.0, 9.0, 7.0],
    ]
)
INDEX = np.array([1, 0, 0, 1, 1, 2])


def bilinear(image, y, x):
    height, width, _ = image.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    above = (1 - (x - left)) * image[top, left] + (x - left) * image[top, right]
    below = (1 - (x - left)) * image[bottom, left] + (x - left) * image[bottom, right]
    return (1 - (y - top)) * above + (y - top) * below


def reference(x, boxes, index, size, scale=1.0, ratio=0, aligned=False):
    """Point by point, as the paper has it."""
    y = np.zeros((len(boxes), *size, x.shape[3]))
    for k, box in enumerate(boxes):
        low = box[:2] * scale - (0.5 if aligned else 0.0)
        length = box[2:] * scale - (0.5 if aligned else 0.0) - low
        if not aligned:
            length = np.maximum(length, 1)
        across, down = length / (size[1], size[0])
        points = [ratio or math.ceil(down), ratio or math.ceil(across)]
        for i, j in np.ndindex(*size):
            for p, q in np.ndindex(*points):
                place = low[1] + (i + (p + 0.5) / points[0]) * down, low[0] + (j + (q + 0.5) / points[1]) * across
                y[k, i, j] += bilinear(x[index[k]], *place) / (points[0] * points[1])
    return y


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("size", "scale", "ratio"), [((2, 3), 1.0, 0), ((7, 7), 0.5, 2), ((1, 1), 0.61, 0)])
def test_roi_align(size, scale, ratio, aligned):
    for channels in (1, 5, 70):
        x = np.random.default_rng(channels).standard_normal((3, 8, 9, channels))

        def op(x):
            return lm.ops.roi_align(x, BOXES.astype(x.dtype), INDEX, size, scale, ratio, aligned)

        check_op(
            op,
            [x],
            lambda x: reference(x, BOXES, INDEX, size, scale, ratio, aligned),
            tolerance={np.float32: 3e-5},
            batch_axis=None,
        )


def test_a_box_alone_is_the_box_among_others():
    x = np.random.default_rng(0).standard_normal((3, 8, 9, 21)).astype(np.float32)
    boxes = BOXES.astype(np.float32)
    together = lm.ops.roi_align(x, boxes, INDEX, 3).numpy()
    for k in range(len(BOXES)):
        alone = lm.ops.roi_align(x[INDEX[k] : INDEX[k] + 1], boxes[k : k + 1], [0], 3).numpy()
        assert alone.tobytes() == together[k : k + 1].tobytes()


def test_gradients_of_more_regions_than_are_cut_at_a_time():
    """2,500 regions: three rounds; for any number of threads the bits of the sum in order."""
    random = np.random.default_rng(0)
    corner = random.uniform(0, 20, (2500, 2))
    boxes = np.concatenate([corner, corner + random.uniform(0, 12, (2500, 2))], 1).astype(np.float32)
    index = random.integers(0, 2, 2500)
    dy = random.standard_normal((2500, 2, 2, 9)).astype(np.float32)
    found = []
    for threads in (1, 2, 4):
        lm.set_num_threads(threads)
        x = lm.tensor(np.zeros((2, 24, 25, 9), np.float32), requires_grad=True)
        lm.ops.roi_align(x, boxes, index, 2).backward(dy)
        found.append(x.grad.numpy().tobytes())
    lm.set_num_threads(1)
    assert found[0] == found[1] == found[2]
    parts = np.zeros((2, 24, 25, 9))
    for start in range(0, 2500, 500):
        x = lm.tensor(np.zeros((2, 24, 25, 9)), requires_grad=True)
        part = slice(start, start + 500)
        lm.ops.roi_align(x, boxes[part].astype(np.float64), index[part], 2).backward(dy[part].astype(np.float64))
        parts += x.grad.numpy()
    np.testing.assert_allclose(np.frombuffer(found[0], np.float32).reshape(parts.shape), parts, atol=1e-4)


def test_without_boxes():
    x = lm.tensor(np.ones((2, 4, 4, 3), np.float32), requires_grad=True)
    y = lm.ops.roi_align(x, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), (2, 5))
    assert y.shape == (0, 2, 5, 3)
    y.backward(np.zeros((0, 2, 5, 3), np.float32))
    assert not x.grad.numpy().any()


def test_boxes_of_zero_area_that_are_aligned_have_no_points():
    x = np.ones((1, 4, 4, 1), np.float32)
    box = np.array([[1.0, 1.0, 1.0, 3.0]], np.float32)
    assert not lm.ops.roi_align(x, box, [0], 2, aligned=True).numpy().any()
    assert lm.ops.roi_align(x, box, [0], 2, aligned=True, sampling_ratio=1).numpy().all()
    assert lm.ops.roi_align(x, box, [0], 2).numpy().all()


ONE = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
MAP = np.ones((2, 4, 4, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((MAP[0], ONE, [0], 2), ValueError, r"x must have shape \(N, H, W, C\), got \(4, 4, 3\)"),
        ((MAP[:, :0], ONE, [0], 2), ValueError, r"x must have shape \(N, H, W, C\)"),
        ((MAP, ONE[0], [0], 2), ValueError, r"boxes must have shape \(K, 4\), got \(4,\)"),
        ((MAP, ONE.astype(np.float64), [0], 2), TypeError, "boxes must have the dtype of x, float32, got float64"),
        ((MAP, ONE, [0, 0], 2), ValueError, r"box_indices must have shape \(1,\), got \(2,\)"),
        ((MAP, ONE, [2], 2), ValueError, "box_indices must be from 0 to 1, got 2 to 2"),
        ((MAP, ONE, [-1], 2), ValueError, "box_indices must be from 0 to 1, got -1 to -1"),
        ((MAP, ONE, [0.0], 2), TypeError, "box_indices must be integers, got float"),
        ((MAP, ONE[:, ::-1].copy(), [0], 2), ValueError, "x_min <= x_max, y_min <= y_max"),
        ((MAP, ONE * np.nan, [0], 2), ValueError, "boxes must be finite"),
        ((MAP, ONE * 1e7, [0], 2), ValueError, "less than 1000000 pixels from 0"),
        ((MAP, ONE, [0], 0), ValueError, "output_size must be at least 1"),
        ((MAP, ONE, [0], 2, 0.0), ValueError, "spatial_scale must be positive and finite, got 0.0"),
        ((MAP, ONE, [0], 2, 1.0, -1), ValueError, "sampling_ratio must be at least 0, got -1"),
        ((MAP, ONE, [0], 2, 1.0, 5000), ValueError, "sampling_ratio must be at most 1000"),
    ],
)
def test_errors(arguments, error, text):
    with pytest.raises(error, match="roi_align: .*" + text):
        lm.ops.roi_align(*arguments)
