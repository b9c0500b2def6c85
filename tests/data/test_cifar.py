"""CIFAR in its three forms, and archives and pickles that mean harm."""

import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina as lm
from lamina.data import cifar, plain_pickle

NAMES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
rng = np.random.default_rng(2)
ROWS = {name: (rng.integers(0, 256, (4, 3072)).astype(np.uint8), rng.integers(0, 10, 4)) for name in NAMES}


def binary(rows, labels):
    return np.concatenate([labels[:, None].astype(np.uint8), rows], 1).tobytes()


def pickled(rows, labels, protocol=2):
    return pickle.dumps({b"batch_label": b"b", b"labels": labels.tolist(), b"data": rows, b"filenames": [b"a.png"] * 4},
                        protocol=protocol)  # fmt: skip


def python2(rows, labels):
    """As Python 2 wrote it: strings are bytes, the array's data a BINSTRING."""
    data = b"\x80\x02}q\x00(U\x04dataq\x01cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    data += b"(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff"
    data += b"J\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", rows.nbytes) + rows.tobytes() + b"tb"
    return data + b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"eu."


def archive(files, mode="w:gz", extra=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        if extra is not None:
            extra(tar)
    return out.getvalue()


FORMS = {
    "binary": {f"{name}.bin": binary(*ROWS[name]) for name in NAMES},
    "pickle": {name: pickled(*ROWS[name]) for name in NAMES},
    "pickle4": {name: pickled(*ROWS[name], protocol=4) for name in NAMES},
    "pickle0": {name: pickled(*ROWS[name], protocol=0) for name in NAMES},
    "python2": {name: python2(*ROWS[name]) for name in NAMES},
}


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


def check(parts):
    (x, y), (x_test, y_test) = parts
    assert (x.shape, x_test.shape) == ((20, 32, 32, 3), (4, 32, 32, 3))
    assert (x.dtype, y.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(y, np.concatenate([ROWS[name][1] for name in NAMES[:5]]))
    np.testing.assert_array_equal(y_test, ROWS["test_batch"][1])
    picture = ROWS["data_batch_2"][0][1].reshape(3, 32, 32)
    np.testing.assert_array_equal(x[5], np.moveaxis(picture, 0, -1))


@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form):
    for name, data in FORMS[form].items():
        (tmp_path / name).write_bytes(data)
    check(lm.data.read_cifar10(tmp_path))


@pytest.mark.parametrize("form", ["binary", "pickle"])
@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_archives(tmp_path, form, mode):
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(archive({**FORMS[form], "readme.html": b"hello"}, mode))
    check(lm.data.read_cifar10(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cifar.tar.gz"]  # nothing was unpacked


def test_cifar100(tmp_path):
    rows, fine, coarse = ROWS["test_batch"][0], np.array([99, 0, 5, 7]), np.array([19, 0, 1, 2])
    for name in ("train", "test"):
        (tmp_path / f"{name}.bin").write_bytes(
            np.concatenate([coarse[:, None], fine[:, None], rows], 1).astype(np.uint8).tobytes()
        )
    for mode, labels in (("fine", fine), ("coarse", coarse)):
        (x, y), _ = lm.data.read_cifar100(tmp_path, label_mode=mode)
        assert x.shape == (4, 32, 32, 3)
        np.testing.assert_array_equal(y, labels)
        (tmp_path / "train").write_bytes(pickle.dumps({b"data": rows, f"{mode}_labels".encode(): labels.tolist()}, 2))
        contents = cifar._pickled((tmp_path / "train").read_bytes(), tmp_path, 100, [f"{mode}_labels"])
        np.testing.assert_array_equal(contents[1], labels)


def with_one(tmp_path, name, data):
    for other in FORMS["pickle"]:
        (tmp_path / other).write_bytes(FORMS["pickle"][other])
    (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(("name", "data", "message"), [
    ("test_batch.bin", b"", "expected records of 3073 bytes, got 0 bytes"),
    ("test_batch.bin", FORMS["binary"]["test_batch.bin"][:-1], "cut short or too long"),
    ("test_batch.bin", b"\x0a" + FORMS["binary"]["test_batch.bin"][1:], "label 10 of picture 0 is outside 0 to 9"),
    ("test_batch", FORMS["pickle"]["test_batch"][:-20], "expected 5 bytes in a unicodestring4, but only 4"),
    ("test_batch", FORMS["pickle"]["test_batch"] + b"x", "after the end of the pickle"),
    ("test_batch", pickle.dumps([1]), "expected a dictionary"),
    ("test_batch", pickle.dumps({b"labels": [1]}), r"expected data of shape \(N, 3072\)"),
    ("test_batch", pickle.dumps({b"data": ROWS["test_batch"][0]}), "there are no labels"),
    ("test_batch", pickled(ROWS["test_batch"][0], np.array([1, 2, 3])), "expected 4 labels"),
    ("test_batch", pickle.dumps({b"data": np.zeros((1, 3072), "u1"), b"labels": ["x"]}), "must be integers"),
    ("test_batch", pickle.dumps({b"data": np.zeros(3, object)}), "only numbers are read"),
], ids=short)  # fmt: skip
def test_refuses(tmp_path, name, data, message):
    with pytest.raises(ValueError, match=message) as caught:
        lm.data.read_cifar10(with_one(tmp_path, name, data))
    assert name in str(caught.value)


def test_missing_parts(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        lm.data.read_cifar10(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="parts are missing: data_batch_1, data_batch_2"):
        lm.data.read_cifar10(tmp_path)


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


class Build:
    def __reduce__(self):
        return Build, (), {"x": 1}


def call(module, name, arguments=b"(S'harm'\ntR"):
    return b"\x80\x02}U\x01a" + f"c{module}\n{name}\n".encode() + arguments + b"s."


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickles_that_call_are_refused_unrun(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps({b"data": Harm()}, protocol)
    with pytest.raises(ValueError, match=r"asks to call (posix|nt|os)\.mkdir, which is refused"):
        plain_pickle.read(data, tmp_path / "p")
    assert not (tmp_path / "harm").exists()
    pickle.loads(data)  # the pickle does do harm where it is believed
    assert (tmp_path / "harm").exists()


@pytest.mark.parametrize("data", [
    call("os", "mkdir"), call("builtins", "eval"), call("numpy", "load"), call("numpy", "ndarray", b"(K\x05tR"),
    call("numpy.core.multiarray", "_reconstruct", b"(cos\nsystem\nK\x00\x85U\x01btR"),
    call("_codecs", "encode", b"(X\x01\x00\x00\x00aX\x05\x00\x00\x00rot13tR"),
    b"\x80\x02(S'harm'\nios\nmkdir\n.", b"\x80\x02cos\nmkdir\n)\x81.", pickle.dumps({1: Build()}),
    b"\x80\x02}(K\x01cos\nmkdir\nU\x04harm\x85R" + b"u.", b"\x80\x02]cos\nmkdir\na.", b"\x80\x02}K\x01}U\x01ab.",
    b"\x80\x02\x82\x01.", b"\x80\x02Pid\n.", b"\x80\x02U\x02idQ.",
], ids=short)  # fmt: skip
def test_pickles_with_anything_but_data_are_refused(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"pickle|Pickle"):
        plain_pickle.read(data, tmp_path / "p")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("data", [
    b"", b".", b"\x80\x02.", b"\x80\x02}", b"\x80\x02}}.", b"\x80\x02(.", b"\x80\x02}q", b"\x80\x02h\x05.",
    b"\x80\x02}(K\x01u.", b"\x80\x02}u.", b"\x80\x02}]K\x01s.", b"\x80\x02K\x01e.", b"\x80\x02K\x01K\x02a.",
    b"\x80\x02}\x8e" + b"\xff" * 8 + b".", b"\x80\x02}T\xff\xff\xff\x7f.", b"\x80\x02}r\xff\xff\xff\xffh\x00.",
    b"\x80\x02\x85.", b"\x80\x02}\x93.", b"\x80\x02}\x94h\x01.", b"\x80\x02R.", b"\x80\x02b.",
], ids=short)  # fmt: skip
def test_damaged_pickles(tmp_path, data):
    with pytest.raises(ValueError, match="p: "):
        plain_pickle.read(data, tmp_path / "p")


@pytest.mark.parametrize(("old", "new"), [
    (b"K\x04M\x00\x0c\x86", b"K\x05M\x00\x0c\x86"), (b"K\x04M\x00\x0c\x86", b"J\xff\xff\xff\xffM\x00\x0c\x86"),
    (b"K\x04M\x00\x0c\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), (b"U\x02u1", b"U\x02O8"),
    (b"U\x02u1", b"U\x03V99"), (b"U\x01|N", b"U\x01xN"), (b"K\x04M\x00\x0c\x86", b"U\x01aM\x00\x0c\x86"),
], ids=short)  # fmt: skip
def test_arrays_that_are_not_what_they_say(tmp_path, old, new):
    whole = python2(*ROWS["test_batch"])
    assert plain_pickle.read(whole, tmp_path)[b"data"].shape == (4, 3072)
    assert old in whole
    with pytest.raises(ValueError, match=str(tmp_path)):
        plain_pickle.read(whole.replace(old, new, 1), tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_changed_pickles_are_read_or_refused(place, change):
    data = bytearray(python2(ROWS["test_batch"][0][:1], np.array([1])))
    place = place % 200 if place < 200 else -(place % 200) - 1
    data[place : place + len(change)] = change
    assert refusal(lambda: plain_pickle.read(bytes(data), cifar.Path("p")))[:3] in ("", "p: ")


def linked(kind, name="cifar/evil", target="/etc/passwd"):
    def add(tar):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)

    return add


@pytest.mark.parametrize(("extra", "message"), [
    (linked(tarfile.SYMTYPE), "a link, a device"), (linked(tarfile.LNKTYPE), "a link, a device"),
    (linked(tarfile.CHRTYPE), "a link, a device"), (linked(tarfile.FIFOTYPE), "a link, a device"),
    (linked(tarfile.REGTYPE, "../../evil"), "unsafe name"), (linked(tarfile.REGTYPE, "/etc/evil"), "unsafe name"),
    (linked(tarfile.REGTYPE, "a/../../b"), "unsafe name"),
    (lambda tar: [linked(tarfile.REGTYPE, f"f{i}")(tar) for i in range(101)], "more than 100 members"),
], ids=short)  # fmt: skip
def test_archives_that_mean_harm(tmp_path, extra, message):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(archive(FORMS["binary"], extra=extra))
    with pytest.raises(ValueError, match=message):
        lm.data.read_cifar10(path)


def test_archives_that_are_bombs_or_cut_short(tmp_path, monkeypatch):
    path = tmp_path / "a.tar.gz"
    whole = archive(FORMS["binary"])
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=str(path)):
        lm.data.read_cifar10(path)
    path.write_bytes(b"no archive at all" * 100)
    with pytest.raises(ValueError, match="is no whole tar archive"):
        lm.data.read_cifar10(path)
    monkeypatch.setattr(cifar, "LIMIT", 200_000)
    path.write_bytes(archive({"zeros": bytes(1_000_000)}))
    with pytest.raises(ValueError, match="limit of 200000"):
        lm.data.read_cifar10(path)
    path.write_bytes(archive({f"zeros{i}": bytes(100_000) for i in range(5)}))
    with pytest.raises(ValueError, match="more than the limit of 200000"):
        lm.data.read_cifar10(path)


def sparse(tar):
    info = tarfile.TarInfo("cifar/data_batch_1.bin")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    tar.addfile(info, io.BytesIO(bytes(512)))


@pytest.mark.parametrize(("extra", "message"), [
    (sparse, "a file with holes"),
    (lambda tar: tar.addfile(tarfile.TarInfo("again/data_batch_1.bin"), io.BytesIO()), "data_batch_1.bin: is there tw"),
    (lambda tar: tar.addfile(tarfile.TarInfo("again/data_batch_1"), io.BytesIO()), "data_batch_1: is there twice"),
], ids=["sparse", "twice", "in both forms"])  # fmt: skip
def test_archives_with_odd_parts(tmp_path, extra, message):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(archive(FORMS["binary"], extra=extra))
    with pytest.raises(ValueError, match=message):
        lm.data.read_cifar10(path)


def test_pickles_that_name_the_same_bytes_again_and_again(tmp_path):
    """A few bytes a time, each an array of its own: 30 kB more that would take 100 MB."""
    size = struct.pack("<i", 100_000)
    encoded = b"\x80\x02}(U\x01tX" + size + b"a" * 100_000 + b"q\x01U\x01ec_codecs\nencode\nq\x02U\x01a]("
    once_encoded = b"h\x02h\x01U\x06latin1\x86R"
    arrays = b"\x80\x02}(U\x01bT" + size + bytes(100_000) + b"q\x01U\x01dcnumpy\ndtype\nU\x02u1\x85R"
    arrays += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x02U\x01r"
    arrays += b"cnumpy.core.multiarray\n_reconstruct\nq\x03U\x01v(cnumpy\nndarray\nK\x00\x85U\x01btq\x04U\x01a]("
    once = b"h\x03h\x04R(K\x01J" + size + b"\x85h\x02K\x00h\x01tb"
    for start, one in ((encoded, once_encoded), (arrays, once)):
        assert len(plain_pickle.read(start + one + b"eu.", tmp_path)[b"a"]) == 1
        with pytest.raises(ValueError, match="names the same bytes again and again"):
            plain_pickle.read(start + one * 1000 + b"eu.", tmp_path / "p")


def test_pickles_of_text_stay_within_the_budget(tmp_path):
    """Protocol 2 writes the bytes of an array as text, which is read twice: of zeros just as of random bytes."""
    for rows in (np.zeros((4, 3072), np.uint8), np.full((4, 3072), 255, np.uint8), ROWS["test_batch"][0]):
        np.testing.assert_array_equal(plain_pickle.read(pickled(rows, np.arange(4)), tmp_path)[b"data"], rows)


def test_parts_that_may_not_be_read(tmp_path, monkeypatch):
    for name, data in FORMS["binary"].items():
        (tmp_path / name).write_bytes(data)

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(cifar.Path, "read_bytes", refuse)
    with pytest.raises(PermissionError, match=r"data_batch_1\.bin"):
        lm.data.read_cifar10(tmp_path)
