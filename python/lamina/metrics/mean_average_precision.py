"""Mean average precision of detections, by COCO's definition and by both of VOC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lamina.metrics.matching import Matches, areas_of, box_overlap, curve, mask_overlap, match_coco, match_voc
from lamina.metrics.metric import Array, Metric, array_of
from lamina.metrics.values import count_of, share_of

SIZES = {"": (0.0, 1e10), "_small": (0.0, 32.0**2), "_medium": (32.0**2, 96.0**2), "_large": (96.0**2, 1e10)}
RULES = ("coco", "voc", "voc2007")


class MeanAveragePrecision(Metric):
    """The mean over classes (and thresholds) of the area under precision as a function of recall.

    Detections of a class are ranked by score over all images. One is right if its IoU with an object that no better
    one took reaches a threshold; after the k best, precision is right / k, and recall right / objects.

    | rule | thresholds of IoU | precision is read at | matching |
    |---|---|---|---|
    | "coco" | 0.5, 0.55, ..., 0.95 | 101 recalls: 0, 0.01, ..., 1 | the free object that overlaps most |
    | "voc" (from 2010) | 0.5 | every recall reached | the object that overlaps most, were it taken |
    | "voc2007" | 0.5 | 11 recalls: 0, 0.1, ..., 1 | as "voc" |

    Precision at a recall is the greatest at that recall or any beyond. Classes without objects do not count.

    `update_state(y_true, y_pred)` takes a list of dictionaries each, one an image. What is true has "boxes" (n, 4)
    (x_min, y_min, x_max, y_max in pixels, the last two one past the object) and "labels" (n,); where masks are
    compared "masks" (n, H, W) instead of boxes; and, if there are any, "difficult" (n,): what need not be found,
    "iscrowd" (n,): regions of many objects, which need not be found either and which any number of detections may
    match, and "area" (n,): for COCO's sizes, otherwise that of the box or mask. What was predicted has boxes or masks,
    "labels" and "scores" (n,).

    Args:
        rule: "coco", "voc" or "voc2007".
        iou_thresholds: other ones, from 0 to 1.
        compare: "boxes" or "masks".
        max_detections: of a class in an image, the best ones (COCO: 100); None for all.
        name: what the history calls it.
        dtype: accepted for Keras's sake.

    Example:
        >>> import lamina as lm
        >>> metric = lm.metrics.MeanAveragePrecision(rule="voc")
        >>> truth = [{"boxes": [[0, 0, 4, 4], [5, 5, 9, 9]], "labels": [0, 0]}]
        >>> metric(truth, [{"boxes": [[0, 0, 4, 4.5], [0, 0, 2, 2]], "labels": [0, 0], "scores": [0.9, 0.8]}])
        0.5

    Reference:
        Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge"; Lin et al. 2014, "Microsoft COCO:
        Common Objects in Context", arXiv:1405.0312.
    """

    def __init__(
        self,
        rule: str = "coco",
        iou_thresholds: Sequence[float] | None = None,
        compare: str = "boxes",
        max_detections: int | None = 100,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        for value, known, what in ((rule, RULES, "rule"), (compare, ("boxes", "masks"), "compare")):
            if value not in known:
                raise ValueError(f"{self.name}: {what} must be one of {', '.join(known)}, got {value!r}")
        self.rule, self.compare = rule, compare
        if iou_thresholds is None:
            iou_thresholds = np.linspace(0.5, 0.95, 10).tolist() if rule == "coco" else [0.5]
        self.iou_thresholds = np.array([share_of(t, self.name, "iou_thresholds") for t in iou_thresholds])
        if not len(self.iou_thresholds):
            raise ValueError(f"{self.name}: iou_thresholds must not be empty")
        self.max_detections = None if max_detections is None else count_of(max_detections, self.name, "max_detections")
        self.reset_state()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Takes in images: a list of dictionaries of what is there, and one of what was predicted.

        Raises:
            ValueError: for lists of different lengths, missing entries, arrays of different lengths, boxes that are
                inverted or not finite, masks of different sizes, or with weights.
        """
        if sample_weight is not None:
            raise ValueError(f"{self.name}: there are no weights of samples here")
        if not isinstance(y_true, list | tuple) or not isinstance(y_pred, list | tuple):
            raise ValueError(f"{self.name}: expected two lists of dictionaries, one of each an image")
        if len(y_true) != len(y_pred):
            raise ValueError(f"{self.name}: {len(y_true)} images are true, {len(y_pred)} predicted")
        read = []
        for i, (truth, prediction) in enumerate(zip(y_true, y_pred, strict=True)):
            where = f"{self.name}: image {i}"
            read.append((_entries(truth, self.compare, where, False), _entries(prediction, self.compare, where, True)))
            shapes = [x[self.compare].shape[1:] for x in read[-1]]
            if shapes[0] != shapes[1]:
                raise ValueError(f"{where}: true masks have shape {shapes[0]}, predicted ones {shapes[1]}")
        for truth, prediction in read:  # all or none
            self._take(truth, prediction)

    def result(self) -> float:
        """Mean average precision; 0 without any object."""
        values = list(self.per_class().values())
        return float(np.mean(values)) if values else 0.0

    def per_class(self, iou_threshold: float | None = None) -> dict[int, float]:
        """Average precision by class, for classes with objects.

        Args:
            iou_threshold: one of `iou_thresholds`; None for the mean over all.
        """
        chosen = self._chosen(iou_threshold)
        found: dict[int, float] = {}
        for label, matches in self._matched("", self.max_detections).items():
            curves = [curve(matches, t) for t in chosen]
            if curves[0][2]:
                found[label] = float(np.mean([_average_precision(*c, self.rule) for c in curves]))
        return found

    def curve(self, label: int, iou_threshold: float = 0.5) -> tuple[Array, Array]:
        """Recall and precision of a class after each of its detections, best first: what to plot.

        Raises:
            ValueError: for a class that was neither there nor predicted, or a threshold that is none of the metric's.
        """
        (threshold,) = self._chosen(iou_threshold)
        matched = self._matched("", self.max_detections)
        if label not in matched:
            raise ValueError(f"{self.name}: class {label!r} was neither there nor predicted, of {sorted(matched)}")
        right, wrong, objects = curve(matched[label], threshold)
        return right / max(objects, 1), right / np.maximum(right + wrong, 1)

    def report(self) -> dict[str, float]:
        """COCO's twelve numbers (those of thresholds that there are), nan where there is no object of a size.

        AP, AP50 and AP75 are the mean over thresholds and those at 0.5 and 0.75; AP_small, AP_medium and AP_large are
        of objects below 32^2, up to 96^2 and above, in pixels. AR1, AR10 and AR100 are the greatest recall with so many
        detections of a class an image, its mean over thresholds and classes; AR_small and so on are with 100.

        Raises:
            ValueError: unless the rule is "coco".
        """
        if self.rule != "coco":
            raise ValueError(f"{self.name}: the report is of the rule 'coco', this one is {self.rule!r}")
        every = list(range(len(self.iou_thresholds)))
        found: dict[str, float] = {}
        most = 100 if self.max_detections is None else self.max_detections
        whole = {size: self._matched(size, most) for size in SIZES}
        found["AP"] = self._mean(whole[""], every, recall=False)
        for name, threshold in (("AP50", 0.5), ("AP75", 0.75)):
            if len(chosen := np.flatnonzero(np.isclose(self.iou_thresholds, threshold))):
                found[name] = self._mean(whole[""], chosen.tolist(), recall=False)
        found |= {f"AP{size}": self._mean(whole[size], every, recall=False) for size in list(SIZES)[1:]}
        for n in sorted({min(n, most) for n in (1, 10, most)}):
            found[f"AR{n}"] = self._mean(self._matched("", n), every, recall=True)
        return found | {f"AR{size}": self._mean(whole[size], every, recall=True) for size in list(SIZES)[1:]}

    def reset_state(self) -> None:
        self._images: dict[int, list[dict[str, Array]]] = {}
        self._known: dict[Any, dict[int, list[Matches]]] = {}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "rule": self.rule, "iou_thresholds": self.iou_thresholds.tolist(), "compare": self.compare,
            "max_detections": self.max_detections,
        }  # fmt: skip

    def _take(self, truth: dict[str, Array], prediction: dict[str, Array]) -> None:
        """Notes overlaps, by class: boxes and masks themselves are not needed any more."""
        overlap_of = box_overlap if self.compare == "boxes" else mask_overlap
        for label in np.unique(np.concatenate([truth["labels"], prediction["labels"]])).tolist():
            there, seen = (np.flatnonzero(x["labels"] == label) for x in (truth, prediction))
            seen = seen[np.argsort(-prediction["scores"][seen], kind="stable")[: self.max_detections]]
            crowd = truth["iscrowd"][there]
            self._images.setdefault(label, []).append({
                "scores": prediction["scores"][seen],
                "areas": areas_of(prediction[self.compare][seen]),
                "overlap": overlap_of(prediction[self.compare][seen], truth[self.compare][there], crowd),
                "ignored": crowd | truth["difficult"][there],
                "crowd": crowd,
                "object_areas": truth["area"][there],
            })  # fmt: skip
        self._known.clear()

    def _matched(self, size: str, most: int | None) -> dict[int, list[Matches]]:
        """Matches by class, an entry an image."""
        if (size, most) not in self._known:
            low, high = SIZES[size]
            found: dict[int, list[Matches]] = {}
            self._known[size, most] = found
            for label, images in self._images.items():
                found[label] = matches = []
                for x in images:
                    scores, areas, overlap = x["scores"][:most], x["areas"][:most], x["overlap"][:most]
                    if self.rule == "coco":
                        ignored = x["ignored"] | (x["object_areas"] < low) | (x["object_areas"] > high)
                        matches.append(match_coco(
                            scores, areas, overlap, self.iou_thresholds, ignored, x["crowd"], (low, high)
                        ))  # fmt: skip
                    else:
                        matches.append(match_voc(scores, overlap, self.iou_thresholds, x["ignored"]))
        return self._known[size, most]

    def _mean(self, matched: dict[int, list[Matches]], thresholds: list[int], recall: bool) -> float:
        values = []
        for matches in matched.values():
            for t in thresholds:
                right, wrong, objects = curve(matches, t)
                if objects and recall:
                    values.append(right[-1] / objects if len(right) else 0.0)
                elif objects:
                    values.append(_average_precision(right, wrong, objects, "coco"))
        return float(np.mean(values)) if values else float("nan")

    def _chosen(self, iou_threshold: float | None) -> list[int]:
        if iou_threshold is None:
            return list(range(len(self.iou_thresholds)))
        chosen = np.flatnonzero(np.isclose(self.iou_thresholds, iou_threshold)).tolist()
        if not chosen:
            raise ValueError(f"{self.name}: {iou_threshold} is none of the iou_thresholds, {self.iou_thresholds}")
        return chosen[:1]


def _average_precision(right: Array, wrong: Array, objects: int, rule: str) -> float:
    if not len(right):
        return 0.0
    precision = right / np.maximum(right + wrong, 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]  # the greatest from here on
    if rule == "coco":
        at = np.searchsorted(right / objects, np.linspace(0, 1, 101), side="left")
    elif rule == "voc2007":
        at = np.searchsorted(10 * right, np.arange(11) * objects, side="left")  # in whole numbers: 3 of 10 is 0.3
    else:
        steps = np.diff(np.concatenate([[0], right])) / objects
        return float((steps * precision).sum())
    return float(np.append(precision, 0.0)[at].mean())


def _entries(given: Any, compare: str, where: str, predicted: bool) -> dict[str, Array]:
    """An image's arrays, checked; boxes in float64, so that areas are exact."""
    what = "predicted" if predicted else "true"
    needed = (compare, "labels", "scores") if predicted else (compare, "labels")
    if not hasattr(given, "keys") or any(name not in given for name in needed):
        raise ValueError(f"{where}: what is {what} must be a dictionary with {', '.join(needed)}, got {given!r:.200}")
    labels = np.asarray(array_of(given["labels"]))
    if labels.ndim != 1 or (labels.dtype.kind not in "iu" and labels.size):
        raise ValueError(f"{where}: {what} labels must be integers of shape (n,), got {labels.dtype} {labels.shape}")
    n, shapes = len(labels), np.asarray(array_of(given[compare]))
    if compare == "boxes":
        boxes = shapes.astype(np.float64).reshape((0, 4) if not shapes.size else shapes.shape)
        _check_boxes(boxes, n, where, what)
        found = {"boxes": boxes}
    else:
        if not (shapes.ndim == 3 and len(shapes) == n):
            raise ValueError(f"{where}: {what} masks must have shape ({n}, H, W), got {shapes.shape}")
        if (shapes != shapes).any():
            raise ValueError(f"{where}: {what} masks hold NaN")
        found = {"masks": shapes.astype(bool)}
    found["labels"] = labels.astype(np.int64)
    rest: dict[str, Array] = {"scores": given["scores"]} if predicted else {
        "iscrowd": np.zeros(n, bool), "difficult": np.zeros(n, bool), "area": areas_of(found[compare]),
    }  # fmt: skip
    for name, default in rest.items():
        value = np.asarray(array_of(given.get(name, default)))
        if value.shape != (n,) or not np.isfinite(value).all():
            raise ValueError(f"{where}: {what} {name} must be {n} finite numbers, got shape {value.shape}: {value}")
        found[name] = value.astype(bool if name in ("iscrowd", "difficult") else np.float64)
    return found


def _check_boxes(boxes: Array, n: int, where: str, what: str) -> None:
    if boxes.shape != (n, 4):
        raise ValueError(f"{where}: {what} boxes must have shape ({n}, 4), as many as labels, got {boxes.shape}")
    wrong = np.flatnonzero(~(np.isfinite(boxes).all(axis=1) & (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)))
    if len(wrong):
        raise ValueError(
            f"{where}: {what} box {wrong[0]} must be finite numbers with x_min <= x_max and y_min <= y_max, "
            f"got {boxes[wrong[0]].tolist()}"
        )
