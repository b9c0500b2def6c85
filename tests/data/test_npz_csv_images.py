"""npz archives, CSV tables and folders of pictures, whole and broken."""

import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import lamina as lm

# npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save):
    arrays = {"x": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)), "s": np.array("a"),
              "big": np.arange(3, dtype=">i4"), "empty": np.zeros((0, 3)), "words": np.array(["one", "three"]),
              "flags": np.array([True, False])}  # fmt: skip
    save(tmp_path / "a.npz", **arrays)
    read = lm.data.read_npz(tmp_path / "a.npz")
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].shape == array.shape
        assert read[name].dtype.isnative


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def npy(array=None, header=None, data=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.arange(4) if array is None else array, allow_pickle=True)
    whole = out.getvalue()
    length = int.from_bytes(whole[8:10], "little")
    if header is not None:
        text = header.encode()
        return whole[:8] + len(text).to_bytes(2, "little") + text + (whole[10 + length :] if data is None else data)
    return whole if data is None else whole[: 10 + length] + data


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


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


HUGE = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"
EMPTY = "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4611686018427387904), }\n"
NOTHING = "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }\n"
NESTED = "{'descr': ('<f8', (1000000,)), 'fortran_order': False, 'shape': (0,), }\n"


@pytest.mark.parametrize(("members", "message"), [
    ([("x.npy", npy(np.array([Harm()], object)))], "never Python objects"),
    ([("../x.npy", npy())], "unsafe name"), ([("/x.npy", npy())], "unsafe name"), ([("x.txt", b"hello")], "only"),
    ([("x.npy", b"")], "cut short"), ([("x.npy", b"\x93NUMPX\x01\x00")], "is no .npy array"),
    ([("x.npy", npy()[:6] + b"\x07\x00" + npy()[8:])], "is no .npy array"),
    ([("x.npy", npy(header="not a dictionary"))], "header of the array is damaged"),
    ([("x.npy", npy(header="{'descr': '<f8', 'fortran_order': False, 'shape': (-4,), }"))], "shape"),
    ([("x.npy", npy(header=HUGE))], "expected 8000000000000 bytes of data"),
    ([("x.npy", npy(header="(" * 3000))], "header of the array is damaged"),
    ([("x.npy", npy(data=bytes(31)))], "expected 32 bytes of data"), ([("x.npy", npy() + b"x")], "expected 32 bytes"),
    ([("x.npy", npy(np.zeros(2, [("a", "i4"), ("b", "f8")])))], "only numbers and strings"),
    ([("x.npy", npy(header=EMPTY, data=b""))], "an array cannot have shape"),
    ([("x.npy", npy(header=NOTHING, data=b""))], "an array cannot have shape"),
    ([("x.npy", npy(header=NESTED, data=b""))], "only numbers and strings"),
], ids=short)  # fmt: skip
def test_npz_refuses(tmp_path, monkeypatch, members, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        lm.data.read_npz(zipped(tmp_path / "a.npz", members))
    assert "a.npz" in str(caught.value)
    assert not (tmp_path / "harm").exists()


def test_npz_limits(tmp_path):
    path = zipped(tmp_path / "bomb.npz", [("x.npy", npy(np.zeros(1_000_000)))])
    with pytest.raises(ValueError, match="more than the limit of 1000000"):
        lm.data.read_npz(path, limit=1_000_000)
    data = bytearray(zipped(tmp_path / "lie.npz", [("x.npy", npy(np.arange(50)))]).read_bytes())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (1 << 30).to_bytes(4, "little")  # the size that it claims
    (tmp_path / "lie.npz").write_bytes(data)
    with pytest.raises(ValueError, match="claims to unpack to 1073741824 bytes"):
        lm.data.read_npz(tmp_path / "lie.npz")
    with pytest.raises(FileNotFoundError):
        lm.data.read_npz(tmp_path / "none.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz_two_of_one_name(tmp_path):
    with pytest.raises(ValueError, match="two arrays of one name"):
        lm.data.read_npz(zipped(tmp_path / "a.npz", [("x.npy", npy()), ("x.npy", npy())]))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=8), st.booleans())
def test_changed_npz_files_are_read_or_refused(tmp_path_factory, place, change, cut):
    folder = tmp_path_factory.mktemp("npz")
    np.savez(folder / "a.npz", x=np.arange(3), y=np.ones((2, 2)))
    data = bytearray((folder / "a.npz").read_bytes())
    place %= len(data)
    data[place : len(data) if cut else place + len(change)] = change
    (folder / "a.npz").write_bytes(data)
    message = refusal(lambda: lm.data.read_npz(folder / "a.npz"))
    assert not message or "a.npz" in message


# CSV


def table(tmp_path, text, **kwargs):
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return lm.data.read_csv(tmp_path / "a.csv", **kwargs)


def test_csv(tmp_path):
    text = '\ufeffid,width,"kind, of",note\r\n1, 1.5,cat,"a ""b"""\r\n\r\n2,-2e3,dog,"two\nlines"\r\n'
    columns = table(tmp_path, text)
    assert list(columns) == ["id", "width", "kind, of", "note"]
    assert columns["id"].dtype == np.int64
    assert columns["width"].dtype == np.float32
    assert columns["width"].tolist() == [1.5, -2000]
    assert columns["note"].tolist() == ['a "b"', "two\nlines"]
    chosen = table(tmp_path, text, columns=["kind, of", 0], dtype="float64")
    assert list(chosen) == ["kind, of", "id"]
    assert table(tmp_path, "1;2\n3;4.5", header=False, delimiter=";", dtype="float64")["1"].tolist() == [2, 4.5]
    filled = table(tmp_path, "a,b\n1,\nNA,2\n", missing=-1)
    assert (filled["a"].tolist(), filled["b"].tolist()) == ([1, -1], [-1, 2])
    assert np.isnan(table(tmp_path, "a,b\n1,\n2,2\n", missing=float("nan"))["b"][0])
    assert table(tmp_path, "a\n9007199254740993\n")["a"][0] == 9007199254740993
    assert table(tmp_path, "id,n\n1_2,3\n1_3,4\n")["id"].tolist() == ["1_2", "1_3"]


@pytest.mark.parametrize(("text", "kwargs", "message"), [
    ("", {}, "there are no rows"), ("a,b\n", {}, "there are no rows"),
    ("a,b\n1,2\n3\n", {}, "line 3: expected 2 values, got 1"), ("a,b\n1,2,3\n", {}, "line 2: expected 2 values, got 3"),
    ("a,b\n1,2\n3,\n", {}, "line 3: column 'b' has no value"), ("a,a\n1,2\n", {}, "two columns have one name"),
    ("a\n1\n", {"columns": ["b"]}, "there is no column 'b'; there are a"), ("a\n1\n", {"columns": [1]}, "no column 1"),
    ('a\n"1\n', {}, "is no utf-8-sig table"), (b"a\n\xff\xfe\n", {}, "is no utf-8-sig table"),
    ("a\n" + "x" * 200_000, {}, "field larger"), ("a\n1\n", {"limit": 3}, "more than the limit"),
    ("a\n1\n", {"delimiter": "::"}, "delimiter must be one character"),
    ("a\n1\n", {"delimiter": "\n"}, "delimiter must be one character"),
    ("a,b\n1,2\n".encode("utf-16-le"), {}, "line 1 holds a NUL"), (b"\xff\xfea\x00", {}, "is no utf-8-sig table"),
    ("a\n\u00e9\n".encode("latin-1"), {}, "is no utf-8-sig table"),
    ("a\n\u00e9\n", {"encoding": "ascii"}, "is no ascii table"),
    ("a\n1\n", {"encoding": "klingon"}, "is no klingon table: unknown encoding"),
    ("a\n1\n", {"encoding": "hex"}, "is no hex table: .hex. is not a text encoding"),
    ("a,b\n1,2\n", {"columns": ["a", 0]}, "columns names one twice"),
    ("a\n1.5\nNAN\n", {}, "line 3: column 'a' has no value"),
    ("a\n" + "x\n" * 500 + "y" * 10000, {"limit": 200_000}, "the strings of column 'a' take 20040000 bytes"),
], ids=short)  # fmt: skip
def test_csv_refuses(tmp_path, text, kwargs, message):
    with pytest.raises(ValueError, match=message):
        table(tmp_path, text, **kwargs)
    with pytest.raises(FileNotFoundError):
        lm.data.read_csv(tmp_path / "none.csv")


@pytest.mark.parametrize(("kwargs", "message"), [
    ({"dtype": "int32"}, "dtype must be"), ({"dtype": "float16"}, "dtype must be"),
    ({"columns": "ab"}, "columns must be a list"),
])  # fmt: skip
def test_csv_refuses_other_kinds(tmp_path, kwargs, message):
    with pytest.raises(TypeError, match=f"read_csv: {message}"):
        table(tmp_path, "a,b\n1.5,2\n", **kwargs)


def test_numbers_that_int64_has_no_room_for(tmp_path):
    columns = table(tmp_path, "a,b\n9223372036854775808,9223372036854775807\n1,2\n", dtype="float64")
    assert (columns["a"].dtype, columns["b"].dtype) == (np.float64, np.int64)
    assert columns["a"].tolist() == [2.0**63, 1]
    assert table(tmp_path, f"a\n{10**400}\n")["a"].tolist() == [np.inf]


# Pictures


def picture(path, size=(6, 4), mode="RGB", value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], value if mode == "L" else (value, 0, 50)).save(path)


def test_image_folder(tmp_path):
    picture(tmp_path / "b" / "2.png", value=2)
    picture(tmp_path / "b" / "10.png", value=10)
    picture(tmp_path / "a" / "deep" / "1.bmp", value=1)
    picture(tmp_path / ".hidden" / "1.png")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    x, y, classes = lm.data.read_image_folder(tmp_path)
    assert classes == ["a", "b"]
    assert (x.shape, x.dtype, y.tolist()) == ((3, 6, 4, 3), np.uint8, [0, 1, 1])
    assert x[:, 0, 0, 0].tolist() == [1, 10, 2]
    x, _, _ = lm.data.read_image_folder(tmp_path, size=(3, 5), color_mode="grayscale")
    assert x.shape == (3, 3, 5, 1)
    paths, labels, _ = lm.data.list_image_folder(tmp_path)
    data = lm.data.Dataset.from_arrays((paths, labels)).map(lambda p, y: (lm.data.read_image(p), y), threads=2).batch(3)
    np.testing.assert_array_equal(next(iter(data))[0], lm.data.read_image_folder(tmp_path)[0])


def test_read_image(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    np.testing.assert_array_equal(lm.data.read_image(tmp_path / "a.png"), values)
    assert lm.data.read_image(tmp_path / "a.png", color_mode="rgba").shape == (5, 7, 4)
    assert lm.data.read_image(tmp_path / "a.png", size=(2, 3), interpolation="nearest").shape == (2, 3, 3)
    wide = np.array([[0, 256, 65535]], np.uint16)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for mode in ("grayscale", "rgb", "rgba"):
        assert lm.data.read_image(tmp_path / "wide.png", color_mode=mode)[0, :, 0].tolist() == [0, 1, 255]


def test_pictures_refuse(tmp_path):
    path = tmp_path / "a" / "1.png"
    picture(path, (40, 40))
    with pytest.raises(ValueError, match="40x40 pixels, more than the limit of 100"):
        lm.data.read_image(path, max_pixels=100)
    with pytest.raises(ValueError, match="color_mode"):
        lm.data.read_image(path, color_mode="cmyk")
    with pytest.raises(ValueError, match="interpolation"):
        lm.data.read_image(path, interpolation="cubist")
    for size in ((0, 3), 5, (3,), (2.5, 3), (True, 3)):
        with pytest.raises(ValueError, match="read_image: size must be two positive integers"):
            lm.data.read_image(path, size=size)
        with pytest.raises(ValueError, match="read_image_folder: size must be two positive integers"):
            lm.data.read_image_folder(tmp_path, size=size)
    with pytest.raises(ValueError, match="read_image_folder: interpolation must be one of"):
        lm.data.read_image_folder(tmp_path, interpolation="cubist")
    with pytest.raises(FileNotFoundError):
        lm.data.read_image(tmp_path / "none.png")
    with pytest.raises(FileNotFoundError):
        lm.data.read_image_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="more than the limit of 10"):
        lm.data.read_image_folder(tmp_path, limit=10)
    picture(tmp_path / "a" / "2.png", (41, 40))
    with pytest.raises(ValueError, match=r"2.png: is \(41, 40\), but .* is \(40, 40\)"):
        lm.data.read_image_folder(tmp_path)
    whole = path.read_bytes()
    for data in (b"", b"hello", whole[:60], whole[: len(whole) // 2], b"GIF89a" + whole[6:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"1.png: is no whole picture"):
            lm.data.read_image(path)
    (tmp_path / "evil.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n")
    with pytest.raises(ValueError, match=r"expected a file of .png"):
        lm.data.read_image(tmp_path / "evil.eps")
    (tmp_path / "evil.png").write_bytes((tmp_path / "evil.eps").read_bytes())
    with pytest.raises(ValueError, match="is no whole picture"):
        lm.data.read_image(tmp_path / "evil.png")


def test_picture_links_that_lead_out(tmp_path):
    picture(tmp_path / "outside.png")
    folder = tmp_path / "pictures"
    (folder / "a").mkdir(parents=True)
    with pytest.raises(ValueError, match="there are no pictures"):
        lm.data.read_image_folder(folder)
    (folder / "a" / "1.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(ValueError, match="a link that leads out"):
        lm.data.read_image_folder(folder)


def test_pictures_say_what_is_missing(tmp_path, monkeypatch):
    picture(tmp_path / "1.png")
    monkeypatch.setattr(
        "lamina.data.images.importlib.import_module", lambda name: (_ for _ in ()).throw(ImportError(name))
    )
    with pytest.raises(ImportError, match=r'pip install "lamina\[images\]"'):
        lm.data.read_image(tmp_path / "1.png")


# What may not be read. Done to `open`, as for root there is no such file.


def refuse(file, *arguments, **kwargs):
    raise PermissionError(13, "Permission denied", str(file))


def test_what_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    table(tmp_path, "a\n1\n")
    picture(tmp_path / "b" / "1.png")
    lm.data.read_image(tmp_path / "b" / "1.png")  # so that Pillow is there
    monkeypatch.setattr("builtins.open", refuse)
    for read, name in ((lm.data.read_npz, "a.npz"), (lm.data.read_csv, "a.csv"), (lm.data.read_image, "b/1.png"),
                       (lm.data.read_image_folder, "")):  # fmt: skip
        with pytest.raises(PermissionError, match="Permission denied"):
            read(tmp_path / name)


def test_folders_that_may_not_be_read(tmp_path, monkeypatch):
    picture(tmp_path / "a" / "1.png")
    picture(tmp_path / "a" / "inside" / "2.png")
    real = os.scandir

    def scandir(path="."):
        return refuse(path) if str(path).endswith("inside") else real(path)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(PermissionError, match="inside"):
        lm.data.list_image_folder(tmp_path)


def test_links_in_a_circle_and_into_nothing_are_no_pictures(tmp_path):
    picture(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "2.png").symlink_to(tmp_path / "a" / "2.png")
    (tmp_path / "a" / "3.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    paths, labels, classes = lm.data.list_image_folder(tmp_path)
    assert ([p.rsplit("/", 1)[1] for p in paths], labels.tolist(), classes) == (["1.png"], [0], ["a"])


def test_a_class_without_pictures_keeps_its_number(tmp_path):
    picture(tmp_path / "c" / "1.png")
    (tmp_path / "b").mkdir()
    paths, labels, classes = lm.data.list_image_folder(tmp_path)
    assert (len(paths), labels.tolist(), classes) == (1, [1], ["b", "c"])


def test_one_damaged_picture_is_named(tmp_path):
    for name in ("1", "2", "3"):
        picture(tmp_path / "a" / f"{name}.png")
    (tmp_path / "a" / "2.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"2\.png: is no whole picture"):
        lm.data.read_image_folder(tmp_path)
