"""What the full examples reach: ``python bench/accuracy.py [examples]``. See docs/benchmarks.md.

Each example runs in a process and a folder of its own, with as many threads as LAMINA_NUM_THREADS says (any number of
them gives the same bits). bench/results/accuracy.json and accuracy.md keep the figures of the examples not run.
"""

from __future__ import annotations

import argparse
import datetime
import inspect
import itertools
import json
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from statistics import mean
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from bench.run import cpu_name

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Figure:
    """A number that an example reaches.

    Attributes:
        what: in words.
        read: takes it out of what the example's main returns.
        aim: at least this; None for a figure without aim.
        form: how it is written, for str.format.
        most: whether the aim is at most.
    """

    what: str
    read: Callable[[Any], float]
    aim: float | None = None
    form: str = "{:.3f}"
    most: bool = False

    def row(self, result: Any) -> dict[str, Any]:
        value = float(self.read(result))
        met = None if self.aim is None else bool(value <= self.aim if self.most else value >= self.aim)
        aim = "" if self.aim is None else ("at most " if self.most else "") + self.form.format(self.aim)
        return {"what": self.what, "aim": aim, "reached": self.form.format(value), "value": value, "met": met}


@dataclass(frozen=True)
class Example:
    """An example that is measured.

    Attributes:
        file: its name in examples/.
        figures: what is read from what it returns.
        arguments: of its main.
        minutes: the most that it may take.
    """

    file: str
    figures: tuple[Figure, ...]
    arguments: tuple[tuple[str, Any], ...] = ()
    minutes: float | None = None


PERCENT, DECIBELS, COUNT = "{:.1%}", "{:.1f} dB", "{:.0f}"


def falls(values: Any) -> float:
    """How many of the values are not below the one before."""
    return sum(b >= a for a, b in itertools.pairwise(values))


def over(upper: str, lower: str) -> Callable[[Any], float]:
    """One figure of an example over another."""
    return lambda found: found[upper] / found[lower]


def gain(before_and_after: Any) -> float:
    return before_and_after[1] - before_and_after[0]


def kinds(found: Any) -> float:
    """How many classes have at least a hundredth of the samples."""
    return sum(share >= 0.01 for share in found["classes"])


def distances(found: Any) -> float:
    """The last Frechet distance over the first."""
    values = list(found["distance"].values())
    return values[-1] / values[0]


def samples(of: str) -> tuple[Figure, ...]:
    """What a classifier of real samples says of 1,000 new ones."""
    return (
        Figure(f"new {of} by classifier: classes of 10 with 1 % or more", kinds, 10, COUNT),
        Figure("share of the rarest", lambda found: min(found["classes"]), form=PERCENT),
        Figure("its confidence", itemgetter("confidence"), form=PERCENT),
    )


JUDGE = Figure(
    "discriminator, last 10 epochs: |accuracy - 0.5|", lambda found: abs(found["d_accuracy"] - 0.5), 0.1, most=True
)
BERT = (
    Figure("epochs whose loss of masked words did not fall", lambda r: falls([e[0] for e in r[0]]), 0, COUNT, True),
    Figure("epochs whose next-sentence accuracy did not rise", lambda r: falls([-e[1] for e in r[0]]), 0, COUNT, True),
    Figure(
        "seeds of 3 to which pre-training helps", lambda r: sum(a > b for a, b in zip(*r[1], strict=True)), 3, COUNT
    ),
    Figure("topics right, pre-trained", lambda r: mean(r[1][0]), form=PERCENT),
    Figure("topics right, from scratch", lambda r: mean(r[1][1]), form=PERCENT),
)

EXAMPLES = {
    "resnet": Example("resnet_digits", (Figure("digits held out, read rightly", float, 0.98, PERCENT),)),
    "yolo": Example("yolo_scenes", (Figure("version 1, 500 other scenes: mAP@0.5", float, 0.8),), minutes=10),
    "yolo_v3": Example("yolo_scenes", (Figure("version 3: mAP@0.5", float, 0.8),), (("version", "3"),), minutes=10),
    "unet": Example("unet_scenes", (Figure("200 scenes held out: mean IoU", float, 0.85),)),
    "fcn": Example("fcn_scenes", (Figure("200 scenes held out: mean IoU", float, 0.85),)),
    "mask_rcnn": Example(
        "mask_rcnn_scenes",
        (
            Figure("100 scenes held out: masks' mAP@0.5", itemgetter("masks"), 0.6),
            Figure("boxes' mAP@0.5", itemgetter("boxes")),
        ),
    ),
    "driving": Example(
        "self_driving",
        (
            Figure("autonomy of PilotNet", itemgetter("PilotNet"), form=PERCENT),
            Figure("autonomy of going straight", itemgetter("going straight"), form=PERCENT),
        ),
    ),
    "word2vec": Example("word2vec", (Figure("planted analogies right", float, form=PERCENT),)),
    "glove": Example("glove", (Figure("epochs whose loss did not fall", falls, 0, COUNT, most=True),)),
    "translation": Example("translation", (Figure("1,000 other texts: exact", float, 0.99, PERCENT),), minutes=10),
    "captioning": Example(
        "captioning",
        (
            Figure("500 other scenes: exact sentences", itemgetter("sentences"), 0.9, PERCENT),
            Figure("words in the right place", itemgetter("words"), form=PERCENT),
        ),
    ),
    "bert": Example("bert_pretraining", BERT),
    "answers": Example("question_answering", (Figure("other questions: exact answers", float, form=PERCENT),)),
    "summarising": Example(
        "summarising",
        (
            Figure("sections never seen: ROUGE-L", itemgetter("never seen")),
            Figure("ROUGE-L of their first four words", itemgetter("lead")),
        ),
    ),
    "autoencoder": Example(
        "autoencoder",
        (
            Figure("PCA's error over the deep one's, code of 8", over("PCA, 8 components", "deep, code of 8"), 1),
            Figure("over the sparse one's, code of 16", over("PCA, 16 components", "sparse, code of 16"), 1),
        ),
    ),
    "denoising": Example(
        "denoising",
        (
            Figure("photographs, normal noise: gain", lambda found: gain(found["normal noise"]), 6, DECIBELS),
            Figure("salt and pepper: gain", lambda found: gain(found["salt and pepper"]), 6, DECIBELS),
        ),
    ),
    "sound": Example("sound_restoration", (Figure("voices in white noise: gain", gain, 6, DECIBELS),)),
    "vae": Example("variational_autoencoder", samples("digits")),
    "gan": Example("gan", (JUDGE, *samples("digits"))),
    "dcgan": Example(
        "dcgan",
        (JUDGE, Figure("Frechet distance, last over first", distances, 1, most=True), *samples("garments")),
        minutes=10,
    ),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the full examples reach, each in a process of its own.")
    parser.add_argument("examples", nargs="*", metavar="example", help=f"of {', '.join(EXAMPLES)} (default: all)")
    parser.add_argument("--small", action="store_true", help="the examples' small size: do they run? nothing is kept")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results", help="where results go")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if unknown := set(parsed.examples) - EXAMPLES.keys():
        parser.error(f"unknown examples {', '.join(sorted(unknown))}; expected some of {', '.join(EXAMPLES)}")
    return parsed


def run_here(example: Example, small: bool) -> dict[str, Any]:
    """Runs an example in this process and folder; what it prints goes to the standard error output."""
    import lamina

    sys.path.insert(0, str(ROOT / "examples"))  # as when it is run as a script: some take from others
    main = runpy.run_path(str(ROOT / "examples" / f"{example.file}.py"), run_name="example")["main"]
    given = dict(example.arguments)
    if small and "small" in inspect.signature(main).parameters:
        given["small"] = True
    start, processor = time.perf_counter(), time.process_time()
    with redirect_stdout(sys.stderr):
        result = main(**given)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    figures = [figure.row(result) for figure in example.figures]
    if example.minutes is not None:
        figures.append(Figure("minutes", lambda r: r / 60, example.minutes, "{:.1f}", most=True).row(seconds))
    return {
        "example": " ".join([f"{example.file}.py", *(f"--{name} {value}" for name, value in example.arguments)]),
        "figures": figures,
        "seconds": seconds,
        "processor_seconds": processor,
        "threads": lamina.num_threads(),
        "cpu": cpu_name(),
        "version": lamina.__version__,
        "date": datetime.date.today().isoformat(),
    }  # fmt: skip


def measure(name: str, small: bool) -> dict[str, Any]:
    """Runs an example in a process and a folder of its own.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", *["--small"] * small, name]
    paths = [str(Path(path).resolve()) for path in sys.path if path]  # where this process found Lamina
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def markdown(rows: dict[str, Any]) -> str:
    lines = [
        "# What the examples reach",
        "",
        "Written by `python bench/accuracy.py`; docs/benchmarks.md says how. Scenes, garments, roads, voices and",
        "texts to translate are synthetic; digits, photographs and Python's manual are real.",
        "",
        "| example | figure | aim | reached | | seconds | of processor | threads |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        times = [f"{row['seconds']:.0f}", f"{row['processor_seconds']:.0f}", str(row["threads"])]
        for number, figure in enumerate(row["figures"]):
            met = {True: "met", False: "**missed**", None: ""}[figure["met"]]
            first = [name, *times] if not number else [""] * 4
            cells = [first[0], figure["what"].replace("|", "\\|"), figure["aim"], figure["reached"], met, *first[1:]]
            lines.append("| " + " | ".join(cells) + " |")
    machines = sorted({f"{row['cpu']}, lamina {row['version']}, {row['date']}" for row in rows.values()})
    return "\n".join([*lines, "", *(f"- {machine}" for machine in machines)]) + "\n"


def main() -> None:
    options = arguments()
    if options.worker:
        print(json.dumps(run_here(EXAMPLES[options.examples[0]], options.small)))
        return
    file = options.output / "accuracy.json"
    rows: dict[str, Any] = json.loads(file.read_text()) if file.exists() and not options.small else {}
    failed = []
    for name in options.examples or EXAMPLES:
        print(f"\n== {name}", flush=True)
        try:
            rows[name] = measure(name, options.small)
        except subprocess.CalledProcessError as error:
            failed.append(f"{name} ended with {error.returncode}")
            continue
        for figure in rows[name]["figures"]:
            print(f"{figure['what']}: {figure['reached']}" + (f" (aim: {figure['aim']})" if figure["aim"] else ""))
        rows = {known: rows[known] for known in EXAMPLES if known in rows}
        if not options.small:  # after each example: a long run that is cut short keeps what it has
            options.output.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(rows, indent=1) + "\n")
            (options.output / "accuracy.md").write_text(markdown(rows))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
