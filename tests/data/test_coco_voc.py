"""COCO's and VOC's formats: small files that are written here, good and bad ones."""

import copy
import gzip
import json

import numpy as np
import pytest
from PIL import Image

import lamina as lm
from lamina.data.masks import boxes_of, pack_counts

SQUARE = [2, 1, 6, 1, 6, 5, 2, 5]
GOOD = {
    "images": [
        {"id": 9, "file_name": "b.png", "height": 8, "width": 10},
        {"id": 4, "file_name": "a.png", "height": 6, "width": 7},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "iscrowd": 0, "bbox": [2, 1, 4, 4], "segmentation": [SQUARE]},
        {
            "id": 2, "image_id": 9, "category_id": 3, "iscrowd": 1, "bbox": [0, 0, 10, 8],
            "segmentation": {"size": [8, 10], "counts": [0, 80]},
        },
    ],
}  # fmt: skip


@pytest.fixture
def coco(tmp_path):
    """Writes a file and its pictures; changed by a function of the good one's content."""
    for name, height, width in (("a", 6, 7), ("b", 8, 10)):
        Image.fromarray(np.full((height, width, 3), 50, np.uint8)).save(tmp_path / f"{name}.png")

    def write(change=None):
        content = copy.deepcopy(GOOD)
        if change is not None:
            content = change(content) or content
        path = tmp_path / "instances.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def test_coco(coco):
    found = lm.data.read_coco(coco())
    assert len(found) == 2
    assert found.class_names == ("car", "dog")
    assert [image.shape for image in found.images] == [(8, 10, 3), (6, 7, 3)]
    assert found.labels[0].tolist() == [1, 0]
    assert found.boxes[0].tolist() == [[2, 1, 6, 5], [0, 0, 10, 8]]
    assert found.crowd[0].tolist() == [False, True]
    assert found.masks[0].shape == (2, 8, 10)
    assert found.masks[0][0].sum() == 16
    assert found.masks[0][0][1:5, 2:6].all()
    assert set(np.unique(found.semantic[0])) == {2, 255}
    assert (found.semantic[-2] == found.semantic[0]).all()
    with pytest.raises(IndexError, match="2 pictures"):
        found.images[2]


def test_coco_picture_without_objects(coco):
    found = lm.data.read_coco(coco())
    assert found.boxes[1].shape == (0, 4)
    assert found.labels[1].shape == (0,)
    assert found.masks[1].shape == (0, 6, 7)
    assert (found.semantic[1] == 0).all()


def test_coco_packed(coco, tmp_path):
    path = coco()
    packed = tmp_path / "instances.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert lm.data.read_coco(packed).boxes[0].tolist() == lm.data.read_coco(path).boxes[0].tolist()


def test_coco_packed_runs(coco):
    mask = np.random.default_rng(0).random((8, 10)) > 0.5

    def change(content):
        counts = pack_counts(lm.data.encode_rle(mask)["counts"])
        content["annotations"][0]["segmentation"] = {"size": [8, 10], "counts": counts}

    np.testing.assert_array_equal(lm.data.read_coco(coco(change)).masks[0][0], mask)


def test_coco_of_more_classes_than_a_semantic_mask_holds(coco):
    def change(content):
        content["categories"] = [{"id": i, "name": f"class {i}"} for i in range(300)]
        content["annotations"][0]["category_id"], content["annotations"][1]["category_id"] = 253, 254

    found = lm.data.read_coco(coco(change))
    assert found.labels[0].tolist() == [253, 254]
    assert found.masks[0].shape == (2, 8, 10)
    with pytest.raises(ValueError, match=r"hold classes below 254 .* there is class 254"):
        found.semantic[0]


def test_coco_box_out_by_rounding_is_clipped(coco):
    found = lm.data.read_coco(coco(lambda c: c["annotations"][0].update(bbox=[-0.3, 1, 10.8, 4])))
    assert found.boxes[0][0].tolist() == [0, 1, 10, 5]


def test_coco_drops_what_is_invalid(coco):
    found = lm.data.read_coco(coco(lambda c: c["annotations"][0].update(bbox=[2, 1, 0, 4])), invalid="drop")
    assert found.labels[0].tolist() == [0]
    assert found.masks[0].shape == (1, 8, 10)


def first(**changes):
    return lambda content: content["annotations"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (first(bbox=[5, 1, -3, 4]), r"annotations\[0\] \(id 1\): the box .* is inverted"),
        (first(bbox=[5, 1, 0, 4]), r"\(id 1\): the box .* has no area"),
        (first(bbox=[20, 1, 5, 4]), "lies outside of the picture of 10x8"),
        (first(bbox=[8, 1, 5, 4]), "lies outside"),
        (first(bbox=[8, 1, 5]), r"bbox must be \[x, y, width, height\]"),
        (first(bbox=None), "bbox must be"),
        (first(bbox=[0, 0, float("nan"), 1]), "bbox must hold numbers"),
        (first(bbox=[0, 0, 10**400, 1]), "bbox must hold numbers"),
        (
            first(segmentation={"size": [7, 10], "counts": [0, 70]}),
            r"the mask's size is \[7, 10\], the picture's \[8, 10\]",
        ),
        (first(image_id=77), "there is no image_id 77"),
        (first(image_id=[]), r"there is no image_id \[\]"),
        (first(image_id=True), "there is no image_id True"),
        (first(category_id=1), "there is no category_id 1"),
        (first(id=2), r"annotations\[1\] \(id 2\): the id must be an integer that comes once"),
        (first(id=[1]), "the id must be an integer"),
        (lambda c: c["annotations"].append(3), r"annotations\[2\]: expected an object, got 3"),
        (lambda c: c["images"].append(c["images"][0]), r"images\[2\]: the id 9 comes twice"),
        (lambda c: c["images"][0].update(height=0), "image 9: height and width must be positive integers"),
        (lambda c: c["images"][0].update(height=1 << 20, width=1 << 20), "the pixels of image 9 take"),
        (lambda c: c["images"][0].update(file_name="../b.png"), "leads out of"),
        (lambda c: c["images"][0].update(file_name=5), "name must be a text, got 5"),
        (lambda c: c["categories"][0].update(name=None), "category 18: the name must be a text"),
        (lambda c: c["categories"][0].update(id="x"), r"categories\[0\]: expected an object with an integer id"),
        (lambda c: c.pop("categories") and None, "there is none of categories"),
        (lambda c: "[1, 2]", "expected an object with images"),
        (lambda c: '{"images": [', "is no JSON, or cut short"),
        (lambda c: "[" * 100_000, "is no JSON"),
    ],
)
def test_coco_refuses(coco, change, message):
    path = coco(change)
    with pytest.raises(ValueError, match=message) as caught:
        lm.data.read_coco(path)
    assert "instances.json" in str(caught.value) or "leads out" in str(caught.value)


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        (None, "has no segmentation"),
        ([], "expected a list of polygons"),
        ([[1, 2, 3, 4]], "3 points or more"),
        ([[1, 2, 3, 4, 5, "x"]], "3 points or more"),
        ([[1, 2, 3, 4, 5, 1e300]], "finite and near the picture"),
        ([[0, 0, 1e6, 1e6] * 40], "border is longer"),
        ({"size": [8, 10], "counts": [5, 3]}, "counts add up to 8 pixels, but size is 8x10"),
        ({"size": [8, 10], "counts": [-5, 85]}, "whole numbers from 0 on"),
        ({"size": [8, 10], "counts": "o"}, "cut short within a number"),
        ({"size": [8, 10], "counts": "oooooooooooooooo"}, "no packing has"),
        ({"size": [8, 10], "counts": "\n"}, "no packing has"),
        ({"size": [8, 10]}, "expected a dictionary of size and counts"),
    ],
)
def test_coco_masks_refused_when_asked_for(coco, segmentation, message):
    found = lm.data.read_coco(coco(first(segmentation=segmentation)))
    with pytest.raises(ValueError, match=message) as caught:
        found.masks[0]
    assert "instances.json: annotations[0] (id 1)" in str(caught.value)


def test_coco_picture_of_another_size(coco, tmp_path):
    found = lm.data.read_coco(coco())
    Image.fromarray(np.zeros((8, 11, 3), np.uint8)).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png: is 8x11 .* but its annotation says 8x10"):
        found.images[0]
    with pytest.raises(FileNotFoundError):
        lm.data.read_coco(tmp_path / "none.json")
    with pytest.raises(ValueError, match="invalid must be"):
        lm.data.read_coco(coco(), invalid="maybe")


def test_runs():
    for shape in ((0, 5), (1, 1), (6, 4)):
        for value in (np.zeros(shape, bool), np.ones(shape, bool), np.random.default_rng(1).random(shape) > 0.4):
            np.testing.assert_array_equal(lm.data.decode_rle(lm.data.encode_rle(value)), value)
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        lm.data.encode_rle([1, 0])
    for wrong in (3, {"size": [2], "counts": [4]}, {"size": [2, -1], "counts": []}):
        with pytest.raises(ValueError, match="decode_rle"):
            lm.data.decode_rle(wrong)


def test_boxes_of_masks():
    masks = np.zeros((2, 5, 6), bool)
    masks[0, 1:3, 2:6] = True
    assert boxes_of(masks).tolist() == [[2, 1, 6, 3], [0, 0, 0, 0]]


ENTITIES = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;">]>
<annotation><filename>&y;</filename></annotation>"""


def annotation(objects, size="<size><width>10</width><height>8</height></size>"):
    return f"<annotation><filename>one.png</filename>{size}{''.join(objects)}</annotation>"


def thing(name="cat", box=(3, 2, 6, 5), extra=""):
    sides = "".join(f"<{s}>{n}</{s}>" for s, n in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name>{extra}<bndbox>{sides}</bndbox></object>"


@pytest.fixture
def voc(tmp_path):
    """Writes a folder of one picture with this annotation."""

    def write(text, semantic=None, objects=None):
        for name in ("Annotations", "JPEGImages", "ImageSets/Main", "ImageSets/Segmentation",
                     "SegmentationClass", "SegmentationObject"):  # fmt: skip
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        for name in ("Main", "Segmentation"):
            (tmp_path / "ImageSets" / name / "train.txt").write_text("one\n\n")
        (tmp_path / "Annotations" / "one.xml").write_text(text)
        Image.fromarray(np.full((8, 10, 3), 90, np.uint8)).save(tmp_path / "JPEGImages" / "one.png")
        for folder, numbers in (("SegmentationClass", semantic), ("SegmentationObject", objects)):
            if numbers is not None:
                png = Image.fromarray(numbers.astype(np.uint8))
                png.putpalette(lm.data.palette().reshape(-1).tolist())
                png.save(tmp_path / folder / "one.png")
        return tmp_path

    return write


def test_voc(voc):
    semantic, objects = np.zeros((2, 8, 10), int)
    semantic[1:5, 2:6], objects[1:5, 2:6] = 8, 1
    semantic[5:7, 1:4], objects[5:7, 1:4] = 15, 2
    semantic[7], objects[7] = 255, 255
    text = annotation([thing(), thing("person", (2, 6, 4, 7), "<difficult>1</difficult>")])
    folder = voc(text, semantic, objects)
    with Image.open(folder / "SegmentationClass" / "one.png") as png:
        assert png.mode == "P"
    for task in ("detection", "segmentation"):
        found = lm.data.read_voc(folder, task=task)
        assert len(found) == 1
        assert found.images[0].shape == (8, 10, 3)
        assert found.boxes[0].tolist() == [[2, 1, 6, 5], [1, 5, 4, 7]]
        assert [found.class_names[label] for label in found.labels[0]] == ["cat", "person"]
        assert found.crowd[0].tolist() == [False, True]
        np.testing.assert_array_equal(found.semantic[0], semantic)
        np.testing.assert_array_equal(found.masks[0], [objects == 1, objects == 2])
        np.testing.assert_array_equal(boxes_of(found.masks[0]), found.boxes[0])


def test_voc_without_objects(voc):
    found = lm.data.read_voc(voc(annotation([])))
    assert found.boxes[0].shape == (0, 4)
    assert found.labels[0].shape == found.crowd[0].shape == (0,)
    found = lm.data.read_voc(voc(annotation([]), objects=np.zeros((8, 10), int)))
    assert found.masks[0].shape == (0, 8, 10)


def test_voc_drops_what_is_invalid(voc):
    objects = np.zeros((8, 10), int)
    objects[0], objects[1] = 1, 2
    found = lm.data.read_voc(voc(annotation([thing(box=(6, 2, 3, 5)), thing("dog")]), None, objects), invalid="drop")
    assert [found.class_names[label] for label in found.labels[0]] == ["dog"]
    np.testing.assert_array_equal(found.masks[0], [objects == 2])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTITIES, "declares a document type"),
        ("<annotation><object>", "is no XML, or cut short"),
        ("", "is no XML"),
        ("<html></html>", "expected <annotation>, got <html>"),
        (annotation([], ""), r"expected a number in <size><height>, got None"),
        (annotation([], "<size><width>0</width><height>8</height></size>"), "must be positive"),
        (annotation([], "<size><width>inf</width><height>8</height></size>"), "expected a number"),
        (annotation([thing("yeti")]), r"object 1 \(yeti\): there is no such class"),
        (annotation([thing(), thing(box=(6, 2, 3, 5))]), r"object 2 \(cat\): the box .* is inverted"),
        (annotation([thing(box=(6, 2, 5, 5))]), "has no area"),
        (annotation([thing(box=(3, 2, 16, 5))]), "lies outside of the picture of 10x8"),
        (annotation([thing(box=("x", 2, 16, 5))]), "expected a number in <bndbox><xmin>, got 'x'"),
        (annotation([thing(box=("nan", 2, 16, 5))]), "expected a number"),
    ],
)
def test_voc_refuses(voc, text, message):
    folder = voc(text)
    with pytest.raises(ValueError, match=message) as caught:
        lm.data.read_voc(folder)
    assert "one.xml" in str(caught.value)


def test_voc_masks_refused(voc):
    text = annotation([thing()])
    numbers = np.zeros((8, 10), int)
    found = lm.data.read_voc(voc(text, np.zeros((8, 9), int), numbers + 2))
    with pytest.raises(ValueError, match=r"SegmentationClass.one\.png: is no mask .* is 8x9 .* its picture 8x10"):
        found.semantic[0]
    with pytest.raises(ValueError, match=r"SegmentationObject.one\.png: has an object 2, but the annotation has 1"):
        found.masks[0]
    with pytest.raises(ValueError, match="there is no class 21"):
        lm.data.read_voc(voc(text, numbers + 21)).semantic[0]
    folder = voc(text)
    (folder / "SegmentationClass" / "one.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="is no mask"):
        lm.data.read_voc(folder).semantic[0]
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(folder / "SegmentationClass" / "one.png")
    with pytest.raises(ValueError, match="expected a palette"):
        lm.data.read_voc(folder).semantic[0]


def test_voc_files(voc):
    folder = voc(annotation([]))
    with pytest.raises(FileNotFoundError, match="val"):
        lm.data.read_voc(folder, "val")
    with pytest.raises(ValueError, match="leads out"):
        lm.data.read_voc(folder, "../../../x")
    with pytest.raises(ValueError, match="task must be"):
        lm.data.read_voc(folder, task="both")
    with pytest.raises(ValueError, match="invalid must be"):
        lm.data.read_voc(folder, invalid="maybe")
    with pytest.raises(ValueError, match="different names"):
        lm.data.read_voc(folder, class_names=["a", "a"])
    with pytest.raises(FileNotFoundError, match="SegmentationClass"):
        lm.data.read_voc(folder).semantic[0]
    names = folder / "ImageSets" / "Main" / "train.txt"
    names.write_text("one\none")
    with pytest.raises(ValueError, match="names a picture twice"):
        lm.data.read_voc(folder)
    names.write_text("two")
    with pytest.raises(FileNotFoundError, match="two"):
        lm.data.read_voc(folder)
