"""Darknet's files: networks of .cfg against plain NumPy, .weights read, written, and refused when broken."""

import numpy as np
import pytest

import lamina as lm
from applications.darknet_reference import Numbers, connected, convolutional, local, maxpool, reorg
from lamina.applications.darknet_weights import _parts

applications = lm.applications
random = np.random.default_rng(0)

HEAD = "[net]\nbatch=1\nheight={0}\nwidth={1}\nchannels=3\n"


def conv(filters, size=3, stride=1, activation="leaky", normalized=True, more=""):
    first = "batch_normalize=1\n" if normalized else ""
    return (
        f"[convolutional]\n{first}filters={filters}\nsize={size}\nstride={stride}\npad=1\n{more}\n"
        f"activation={activation}\n"
    )


SMALL = HEAD.format(10, 14) + "".join([
    "# a comment\n", conv(8), conv(8, 1), "[shortcut]\nfrom=-2\nactivation=linear\n", conv(12, 3, 2, more="groups=4"),
    "[maxpool]\nsize=2\nstride=2\n", "[maxpool]\nsize=2\nstride=1\n",
    conv(14, 1, activation="linear", normalized=False), "[yolo]\nmask=1,2\nanchors=3,4, 5,6, 9,7\nclasses=2\n",
    "[route]\nlayers = -5 ; the strided one\n",
    conv(14, 1, activation="linear", normalized=False), "[yolo]\nmask=0,2\nanchors=3,4, 5,6, 9,7\nclasses=2\n",
    "[route]\nlayers=2\n", "[maxpool]\nsize=3\nstride=3\n", conv(14, 1, activation="linear", normalized=False),
    "[yolo]\nmask=0,1\nanchors=3,4, 5,6, 9,7\nclasses=2\n",
])  # fmt: skip


def written(tmp_path, text, name="net.cfg"):
    path = tmp_path / name
    path.write_text(text)
    return path


def file_of(tmp_path, count, name="net.weights", header=(0, 2, 5), seen="<u8"):
    """Numbers of which none is special: variances are positive."""
    values = random.uniform(0.2, 1, count).astype("<f4")
    path = tmp_path / name
    path.write_bytes(np.array(header, "<i4").tobytes() + np.array([77], seen).tobytes() + values.tobytes())
    return path, values


def test_a_network_of_all_kinds(tmp_path):
    """Convolutions (in groups, with strides), shortcut, pools with Darknet's padding, routes, three outputs."""
    path = written(tmp_path, SMALL)
    model = applications.load_darknet(path)
    count = sum(part.count for part in _parts(model))
    weights, values = file_of(tmp_path, count)
    assert applications.load_darknet_weights(model, weights) == 77
    x = random.normal(size=(1, 10, 14, 3)).astype("float32")
    numbers = Numbers(values)
    a = convolutional(x[0].transpose(2, 0, 1).astype(float), numbers, 8, 3, 1, 1, 1, True, "leaky")
    b = a + convolutional(a, numbers, 8, 1, 1, 0, 1, True, "leaky")
    c = convolutional(b, numbers, 12, 3, 2, 1, 4, True, "leaky")
    d = maxpool(maxpool(c, 2, 2, 1), 2, 1, 1)
    e = convolutional(d, numbers, 14, 1, 1, 0, 1, False, "linear")
    f = convolutional(c, numbers, 14, 1, 1, 0, 1, False, "linear")
    g = convolutional(maxpool(b, 3, 3, 2), numbers, 14, 1, 1, 0, 1, False, "linear")
    assert numbers.place == count
    assert e.shape == (14, 3, 4)
    outputs = model(x)
    for output, expected in zip(outputs, (e, f, g), strict=True):
        np.testing.assert_allclose(output.numpy()[0].transpose(2, 0, 1), expected, rtol=2e-4, atol=2e-4)
    boxes, scores = applications.decode_darknet(outputs, path)
    assert boxes.shape == (1, 2 * (3 * 4 + 5 * 7 + 4 * 5), 4)
    assert scores.shape == (1, 2 * (3 * 4 + 5 * 7 + 4 * 5), 2)


def test_upsample_and_concatenate(tmp_path):
    text = HEAD.format(6, 6) + conv(4, 3, 2) + "[upsample]\nstride=2\n" + conv(2, 1) + "[route]\nlayers=-1,-2\n"
    model = applications.load_darknet(written(tmp_path, text))
    weights, values = file_of(tmp_path, sum(part.count for part in _parts(model)))
    applications.load_darknet_weights(model, weights)
    x, numbers = random.normal(size=(1, 6, 6, 3)).astype("float32"), Numbers(values)
    a = convolutional(x[0].transpose(2, 0, 1).astype(float), numbers, 4, 3, 2, 1, 1, True, "leaky")
    a = a.repeat(2, axis=1).repeat(2, axis=2)
    b = convolutional(a, numbers, 2, 1, 1, 0, 1, True, "leaky")
    np.testing.assert_allclose(model(x).numpy()[0].transpose(2, 0, 1), np.concatenate([b, a]), rtol=1e-4, atol=1e-4)


def test_reorg_and_region(tmp_path):
    text = HEAD.format(4, 6) + conv(8, 1) + "[reorg]\nstride=2\n" + conv(10, 1, activation="linear", normalized=False)
    text += "[region]\nanchors=1,2\nclasses=5\ncoords=4\nnum=1\nsoftmax=1\n"
    path = written(tmp_path, text)
    model = applications.load_darknet(path)
    weights, values = file_of(tmp_path, sum(part.count for part in _parts(model)))
    applications.load_darknet_weights(model, weights)
    x, numbers = random.normal(size=(1, 4, 6, 3)).astype("float32"), Numbers(values)
    a = convolutional(x[0].transpose(2, 0, 1).astype(float), numbers, 8, 1, 1, 0, 1, True, "leaky")
    y = convolutional(reorg(a, 2), numbers, 10, 1, 1, 0, 1, False, "linear")
    outputs = model(x)
    np.testing.assert_allclose(outputs.numpy()[0].transpose(2, 0, 1), y, rtol=1e-4, atol=1e-4)
    boxes, scores = applications.decode_darknet(outputs, path)
    first = outputs.numpy()[0, 0, 0]
    kinds = np.exp(first[5:]) / np.exp(first[5:]).sum()
    np.testing.assert_allclose(scores.numpy()[0, 0], kinds / (1 + np.exp(-first[4])), rtol=1e-5)
    width = boxes.numpy()[0, 0, 2] - boxes.numpy()[0, 0, 0]
    assert width == pytest.approx(np.exp(first[2]) / 3, rel=1e-5)  # an anchor of one of three cells


def test_yolo_v1(tmp_path):
    """Dense layers behind a map of features, and the detection section's order."""
    text = HEAD.format(4, 4) + conv(5) + "[dropout]\nprobability=.5\n[connected]\noutput=7\nactivation=leaky\n"
    text += "[connected]\noutput=32\nactivation=linear\n[detection]\nclasses=3\ncoords=4\nside=2\nnum=1\nsqrt=1\n"
    path = written(tmp_path, text)
    model = applications.load_darknet(path)
    weights, values = file_of(tmp_path, sum(part.count for part in _parts(model)))
    applications.load_darknet_weights(model, weights)
    x, numbers = random.normal(size=(1, 4, 4, 3)).astype("float32"), Numbers(values)
    a = convolutional(x[0].transpose(2, 0, 1).astype(float), numbers, 5, 3, 1, 1, 1, True, "leaky")
    y = connected(connected(a, numbers, 7, "leaky"), numbers, 32, "linear")
    found = model(x).numpy()[0]
    for i, j in np.ndindex(2, 2):
        cell = 2 * i + j
        expected = [*y[16 + 4 * cell : 20 + 4 * cell], y[12 + cell], *y[3 * cell : 3 * cell + 3]]
        np.testing.assert_allclose(found[i, j], expected, rtol=1e-4)
    assert applications.decode_darknet(model(x), path)[0].shape == (1, 4, 4)


@pytest.mark.parametrize(("stride", "pad"), [(1, 1), (2, 1), (1, 0)])
def test_local_layers(tmp_path, stride, pad):
    """Weights of their own for each place, and what is written is what was read."""
    text = HEAD.format(5, 6) + f"[local]\nfilters=4\nsize=3\nstride={stride}\npad={pad}\nactivation=leaky\n"
    text += "[connected]\noutput=3\nactivation=linear\n"
    model = applications.load_darknet(written(tmp_path, text))
    weights, values = file_of(tmp_path, sum(part.count for part in _parts(model)))
    applications.load_darknet_weights(model, weights)
    x, numbers = random.normal(size=(1, 5, 6, 3)).astype("float32"), Numbers(values)
    y = local(x[0].transpose(2, 0, 1).astype(float), numbers, 4, 3, stride, pad, "leaky")
    np.testing.assert_allclose(model(x).numpy()[0], connected(y, numbers, 3, "linear"), rtol=1e-4, atol=1e-4)
    applications.save_darknet_weights(model, tmp_path / "again.weights", seen=77)
    assert (tmp_path / "again.weights").read_bytes() == weights.read_bytes()


def test_written_and_read_again(tmp_path):
    model = applications.load_darknet(written(tmp_path, SMALL))
    weights, _ = file_of(tmp_path, sum(part.count for part in _parts(model)))
    applications.load_darknet_weights(model, weights)
    applications.save_darknet_weights(model, tmp_path / "again.weights", seen=77)
    assert (tmp_path / "again.weights").read_bytes() == weights.read_bytes()


def test_a_header_of_old(tmp_path):
    """Before 0.2 the number of images seen has 32 bits."""
    model = applications.load_darknet(written(tmp_path, HEAD.format(4, 4) + conv(2, 1)))
    path, _ = file_of(tmp_path, 14, header=(0, 1, 0), seen="<u4")
    assert applications.load_darknet_weights(model, path) == 77


def tiny_cfg(first, classes, side=32):
    """yolov3-tiny as its authors published it, with another number of filters."""
    text = HEAD.format(side, side)
    for i in range(6):
        text += conv(first << i) + f"[maxpool]\nsize=2\nstride={2 if i < 5 else 1}\n"
    depth, anchors = 3 * (5 + classes), "anchors=10,14, 23,27, 37,58, 81,82, 135,169, 344,319"
    out = (
        conv(depth, 1, activation="linear", normalized=False) + "[yolo]\nmask={}\n" + f"{anchors}\nclasses={classes}\n"
    )
    text += conv(first << 6) + conv(first << 4, 1) + conv(first << 5) + out.format("3,4,5")
    text += "[route]\nlayers=-4\n" + conv(first << 3, 1) + "[upsample]\nstride=2\n[route]\nlayers=-1, 8\n"
    return text + conv(first << 4) + out.format("0,1,2")


def v3_cfg(side=32):
    text = HEAD.format(side, side) + conv(32)
    for filters, blocks in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        text += conv(filters, 3, 2)
        text += (conv(filters // 2, 1) + conv(filters) + "[shortcut]\nfrom=-3\nactivation=linear\n") * blocks
    for filters, place in ((512, None), (256, 61), (128, 36)):
        if place:
            text += f"[route]\nlayers=-4\n{conv(filters, 1)}[upsample]\nstride=2\n[route]\nlayers=-1, {place}\n"
        text += (conv(filters, 1) + conv(2 * filters)) * 3 + conv(255, 1, activation="linear", normalized=False)
        text += "[yolo]\nmask=0,1,2\nanchors=10,13, 16,30, 33,23\nclasses=80\n"
    return text


def test_tiny_network_is_that_of_its_file(tmp_path):
    """The same .weights in both: the same outputs, to the bit."""
    path = written(tmp_path, tiny_cfg(2, 3), "yolov3-tiny.cfg")
    weights = tmp_path / "tiny.weights"
    ours = applications.YOLOv3Tiny((32, 32, 3), classes=3, filters=2)
    applications.save_darknet_weights(ours, weights)
    theirs = applications.load_darknet(path, weights)
    x = random.normal(size=(2, 32, 32, 3)).astype("float32")
    for a, b in zip(ours(x), theirs(x), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_published_networks(tmp_path):
    """Counts as published; v3 has its numbers in the order of its file."""
    trained = lambda model: sum(w.array.size for w in model.trainable_weights)  # noqa: E731
    assert trained(applications.load_darknet(written(tmp_path, tiny_cfg(16, 80)))) == 8_852_366
    theirs = applications.load_darknet(written(tmp_path, v3_cfg()))
    assert trained(theirs) == 61_949_149
    ours, shapes = applications.YOLOv3((32, 32, 3)), [p.variable.shape for p in _parts(theirs)]
    assert [p.variable.shape for p in _parts(ours)] == shapes
    assert sum(p.count for p in _parts(ours)) == 62_001_757  # yolov3.weights has 248,007,048 bytes: 20 and 4 each
    v2 = HEAD.format(64, 64) + conv(32) + "[maxpool]\nsize=2\nstride=2\n" + conv(64) + "[maxpool]\nsize=2\nstride=2\n"
    for filters, count in ((128, 1), (256, 1), (512, 2), (1024, 2)):
        v2 += conv(filters) + (conv(filters // 2, 1) + conv(filters)) * count
        v2 += "[maxpool]\nsize=2\nstride=2\n" if filters < 1024 else ""
    v2 += conv(1024) * 2 + "[route]\nlayers=-9\n" + conv(64, 1) + "[reorg]\nstride=2\n[route]\nlayers=-1,-4\n"
    v2 += conv(1024) + conv(125, 1, activation="linear", normalized=False)
    v2 += "[region]\nanchors=1.3,1.7, 3.2,4, 5,8, 9.5,4.8, 11,10\nclasses=20\ncoords=4\nnum=5\nsoftmax=1\n"
    v2_voc = applications.load_darknet(written(tmp_path, v2))
    assert trained(v2_voc) == 50_655_389
    assert v2_voc.output_shape == (None, 2, 2, 125)


def broken(tmp_path, change):
    model = applications.load_darknet(written(tmp_path, HEAD.format(4, 4) + conv(2, 1) + conv(3, 3)))
    path, _ = file_of(tmp_path, 14 + 66)
    path.write_bytes(change(path.read_bytes()))
    before = [w.copy() for w in model.get_weights()]
    try:
        applications.load_darknet_weights(model, path)
    finally:
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("change", "message"), [
    (lambda data: data[:-40], r"kernel of convolutional_1, \(3, 3, 2, 3\), needs 54 numbers, 44 are left; net needs"),
    (lambda data: data[: 20 + 4 * 16], r"beta of batch_normalization_1, \(3,\), needs 3 numbers, 2 are left"),
    (lambda data: data + b"\0" * 8, "too long: after convolutional_1, .* no more than 80 numbers, the file has 82"),
    (lambda data: data[:-2], "cut short: 318 bytes after the header are no whole numbers"),
    (lambda data: data[:9], "9 bytes are no header"),
    (lambda data: data[20:], "the header says version 1"),
    (lambda data: b"", "0 bytes are no header"),
])  # fmt: skip
def test_broken_weights(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        broken(tmp_path, change)


@pytest.mark.parametrize(("text", "message"), [
    ("", r"the first section must be \[net\], got none"),
    ("[yolo]\n", r"the first section must be \[net\], got yolo"),
    ("[net]\nnonsense\n", r"net.cfg, line 2: expected \[section\] or name=value, got 'nonsense'"),
    ("[net]\nwidth=4\n", r"line 1: \[net\] needs height="),
    ("[net]\nwidth=4\nheight=a\n", "height must be int, got 'a'"),
    ("[net]\nwidth=4\nheight=0\n", "height must be one integer, at least 1, got '0'"),
    ("\x89PNG\r\n\x1a\n\ufffd", r"net.cfg, line 1: expected \[section\]"),
    (HEAD.format(4, 4) + conv("2,3"), r"\[convolutional\] filters must be one integer, at least 1, got '2,3'"),
    (HEAD.format(4, 4) + conv(2, 3, 0), "stride must be one integer, at least 1, got '0'"),
    (HEAD.format(4, 4) + conv(2, 3, more="groups=3"), "does not fit.*groups"),
    (HEAD.format(4, 4) + "[maxpool]\nstride=0\n", "stride must be one integer, at least 1"),
    (HEAD.format(4, 4) + "[reorg]\nstride=0\n", "stride must be one integer, at least 1"),
    (HEAD.format(4, 4) + conv(4) + "[route]\nlayers=-1\ngroups=3\n", "cannot give group 0 of 3 of 4 channels"),
    (HEAD.format(4, 4) + conv(4) + "[route]\nlayers=-1\ngroups=2\ngroup_id=2\n", "group 2 of 2"),
    (HEAD.format(4, 4) + conv(8) + "[yolo]\nanchors=1,2,3\nclasses=3\n", "anchors must be pairs .* got 3 numbers"),
    (HEAD.format(4, 4) + conv(8) + "[yolo]\nmask=1\nanchors=1,2\nclasses=3\n", r"some of 1 anchors, got \[1\]"),
    (HEAD.format(4, 4) + "[connected]\noutput=9\n[detection]\nside=1\nnum=1\nclasses=3\n", "needs 8 numbers .* got"),
    (HEAD.format(4, 4) + conv(8) + "[detection]\nside=1\nnum=1\nclasses=3\n", "needs 8 numbers from a dense layer"),
    (HEAD.format(4, 4) + "[local]\nsize=5\npad=1\n", r"\[local\] of size 5 needs pad=0 or 2, got 1"),
    (HEAD.format(4, 4) + "[lstm]\n", r"line 6: \[lstm\] is unknown; known are avgpool, connected"),
    (HEAD.format(4, 4) + conv(2, activation="odd"), "activation must be one of linear, leaky.*got 'odd'"),
    (HEAD.format(4, 4) + "[route]\nlayers=-2\n", r"\(layer 0\) refers to layer -2, which does not come before it"),
    (HEAD.format(4, 4) + conv(2) + "[shortcut]\nfrom=1\n", "refers to layer 1, which does not come before"),
    (HEAD.format(4, 4) + conv(2) + conv(3, 1, 2) + "[shortcut]\nfrom=-2\n", r"\[shortcut\] \(layer 2\) does not fit"),
    (HEAD.format(4, 4) + conv(9) + "[yolo]\nmask=0\nanchors=1,2\nclasses=5\n", "of 1 anchors needs 10 channels, got 9"),
    (HEAD.format(5, 4) + conv(4) + "[reorg]\nstride=2\n", "needs multiples of 2 pixels and of 4 channels, got 5 x 4"),
    (HEAD.format(4, 4) + conv(4) + conv(5) + "[route]\nlayers=0\n", r"\(layer 1\) leads to no output"),
])  # fmt: skip
def test_broken_cfg(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        applications.load_darknet(written(tmp_path, text))


def test_a_shortcut_without_an_activation_is_linear(tmp_path):
    text = HEAD.format(4, 4) + conv(3, 1) + "[shortcut]\nfrom=-1\n"
    model = applications.load_darknet(written(tmp_path, text))
    x = random.normal(size=(1, 4, 4, 3)).astype("float32")
    inner = lm.Model(model.inputs, model.get_layer("leaky_0").output)
    np.testing.assert_array_equal(model(x).numpy(), 2 * inner(x).numpy())


@pytest.mark.parametrize(("section", "message"), [
    ("[yolo]\nanchors=1,2\nclasses=3\nscale_x_y=1.2\n", r"\[yolo\] with scale_x_y=1.2 is not decoded, only with 1"),
    ("[yolo]\nanchors=1,2\nclasses=3\nnew_coords=1\n", "with new_coords=1.0 is not decoded"),
    ("[region]\nanchors=1,2\nclasses=3\ntree=data/9k.tree\n", "with tree=data/9k.tree is not decoded"),
    ("[detection]\nclasses=3\nside=2\nnum=1\n", "with sqrt=0 is not decoded, only with 1"),
])  # fmt: skip
def test_boxes_of_other_networks_are_refused(tmp_path, section, message):
    path = written(tmp_path, HEAD.format(4, 4) + section)
    with pytest.raises(ValueError, match=message):
        applications.decode_darknet(np.zeros((1, 2, 2, 8), "float32"), path)


def test_other_networks_are_refused(tmp_path):
    model = lm.models.Sequential([lm.layers.Input((4, 4)), lm.layers.LSTM(2)])
    with pytest.raises(ValueError, match="hold convolutions, local and dense layers, here are"):
        applications.save_darknet_weights(model, tmp_path / "x.weights")
    path = written(tmp_path, HEAD.format(4, 4) + conv(2))
    with pytest.raises(ValueError, match="0 sections with boxes, 1 outputs"):
        applications.decode_darknet(np.zeros((1, 4, 4, 2), "float32"), path)
