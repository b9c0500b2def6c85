"""Weights of BERT in Hugging Face's files, read and written: config.json, model.safetensors, vocab.txt in a folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamina import backend
from lamina.applications.bert import BertBlock, BertConfig, BertEmbeddings, BertPredictions
from lamina.applications.weights import Layout, entry, load_weights, torch_layout
from lamina.data.text_files import read_text
from lamina.layers.core import Dense
from lamina.models.model import Model
from lamina.models.saving import read_arrays

Array = Any

HEADS = {  # what Hugging Face calls the dense layers of heads
    "pooler": "bert.pooler.dense",
    "seq_relationship": "cls.seq_relationship",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}
TABLE = "bert.embeddings.word_embeddings.weight"
COPIES = {"cls.predictions.decoder.weight": TABLE, "cls.predictions.decoder.bias": "cls.predictions.bias"}


def bert_layout(model: Model) -> Layout:
    """What Hugging Face calls the weights of a model of BERT, and how its files hold them.

    Args:
        model: what one of this package's Bert builders gave.

    Returns:
        Entries by name, "bert.encoder.layer.0.attention.self.query.weight".

    Raises:
        ValueError: if it is no such model.

    Example:
        >>> from lamina.applications import BertConfig, BertModel
        >>> from lamina.applications.bert_weights import bert_layout
        >>> layout = bert_layout(BertModel(BertConfig.tiny(vocab_size=100)))
        >>> len(layout), layout["bert.encoder.layer.1.intermediate.dense.weight"].shape
        (39, (512, 128))
    """
    modules: dict[str, Any] = {}
    layout: Layout = {}
    for layer in model.layers:
        if isinstance(layer, BertEmbeddings):
            for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
                modules[f"bert.embeddings.{name}"] = getattr(layer, name)
            layout |= _norm("bert.embeddings.LayerNorm", layer.layer_norm)
        elif isinstance(layer, BertBlock):
            place = f"bert.encoder.layer.{layer.name.removeprefix('layer_')}"
            layout |= _attention(f"{place}.attention", layer.self_attention_layer)
            layout |= _norm(f"{place}.attention.output.LayerNorm", layer.self_attention_layer_norm)
            modules[f"{place}.intermediate.dense"] = layer.feedforward_intermediate_dense
            modules[f"{place}.output.dense"] = layer.feedforward_output_dense
            layout |= _norm(f"{place}.output.LayerNorm", layer.feedforward_layer_norm)
        elif isinstance(layer, BertPredictions):
            modules["cls.predictions.transform.dense"] = layer.transform
            layout |= _norm("cls.predictions.transform.LayerNorm", layer.layer_norm)
            layout["cls.predictions.bias"] = entry(layer.bias)
        elif isinstance(layer, Dense) and layer.name in HEADS:
            modules[HEADS[layer.name]] = layer
    if TABLE.removesuffix(".weight") not in modules:
        raise ValueError(f"bert_layout: expected a model of BERT, got {model.name}, which has no BertEmbeddings")
    return torch_layout(modules) | layout


def _norm(place: str, layer: Any) -> Layout:
    return {f"{place}.weight": entry(layer.gamma), f"{place}.bias": entry(layer.beta)}


def _attention(place: str, layer: Any) -> Layout:
    """Projections are matrices there: (heads * size, features), and the last one's transpose."""
    found: Layout = {}
    parts = {"self.query": layer.query_dense, "self.key": layer.key_dense, "self.value": layer.value_dense,
             "output.dense": layer.output_dense}  # fmt: skip
    for name, dense in parts.items():
        features = layer.output_dense.bias.size
        found[f"{place}.{name}.weight"] = entry(dense.kernel, (1, 0), (features, features))
        found[f"{place}.{name}.bias"] = entry(dense.bias, (0,), (features,))
    return found


def load_bert_weights(
    model: Model, source: str | Path | Mapping[str, Array] | Model, fine_tuning: bool = False
) -> list[str]:
    """Gives a model of BERT the weights of a Hugging Face file, or of another model; nothing changes unless all fit.

    Names may have the prefix "bert." or not, and the old "gamma" and "beta". Heads that only the source has are passed
    over.

    Args:
        model: what one of the Bert builders gave.
        source: a safetensors file, arrays by name, or another model of BERT.
        fine_tuning: whether heads that the source lacks keep their first values, to be trained; else they are missing.

    Returns:
        The names that kept their first values.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if weights are missing, unknown or of another shape (the vocabulary's size among them): all are
            named. Or if the logits' matrix is not the table of the embeddings.

    Example:
        >>> from lamina.applications import BertConfig, BertForPreTraining, BertForSequenceClassification
        >>> from lamina.applications import load_bert_weights
        >>> config = BertConfig.tiny(vocab_size=100)
        >>> trained, classifier = BertForPreTraining(config), BertForSequenceClassification(config)
        >>> load_bert_weights(classifier, trained, fine_tuning=True)
        ['classifier.weight', 'classifier.bias']
    """
    if isinstance(source, Model):
        given, origin = bert_arrays(source), source.name
    elif isinstance(source, Mapping):
        given, origin = dict(source), ""
    else:
        given, origin = read_arrays(source)[0], str(source)
    arrays = {canonical_name(name): array for name, array in given.items()}
    for copy, original in COPIES.items():
        if copy in arrays and original in arrays and not np.array_equal(arrays[copy], arrays[original]):
            raise ValueError(f"load_bert_weights: {copy} must be the same as {original}: the two are tied here")
    layout = bert_layout(model)
    arrays = {
        name: array
        for name, array in arrays.items()
        if name not in COPIES and not name.endswith("position_ids") and (name in layout or not _is_head(name))
    }
    kept = [name for name in layout if name not in arrays and _is_head(name)] if fine_tuning else []
    layout = {name: held for name, held in layout.items() if name not in kept}
    load_weights(model, arrays, {"Hugging Face": layout}, origin=origin)
    return kept


def _is_head(name: str) -> bool:
    return not name.startswith(("bert.embeddings.", "bert.encoder."))


def canonical_name(name: str) -> str:
    """A name as today's files have it: with the prefix "bert.", "weight" and "bias" of a LayerNorm.

    Example:
        >>> from lamina.applications.bert_weights import canonical_name
        >>> canonical_name("embeddings.LayerNorm.gamma")
        'bert.embeddings.LayerNorm.weight'
    """
    if name.startswith(("embeddings.", "encoder.", "pooler.")):
        name = f"bert.{name}"
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def bert_arrays(model: Model) -> dict[str, Array]:
    """The weights of a model of BERT as Hugging Face's files hold them.

    Args:
        model: what one of the Bert builders gave.

    Returns:
        NumPy arrays by name.

    Raises:
        ValueError: if it is no such model.

    Example:
        >>> from lamina.applications import BertConfig, BertModel
        >>> from lamina.applications.bert_weights import bert_arrays
        >>> bert_arrays(BertModel(BertConfig.tiny(vocab_size=100)))["bert.pooler.dense.weight"].shape
        (128, 128)
    """
    found = {}
    for name, held in bert_layout(model).items():
        seen = backend.to_host(held.variable.array).reshape([held.split[axis] for axis in held.axes])
        found[name] = np.ascontiguousarray(seen.transpose(np.argsort(held.axes)).reshape(held.shape))
    return found


def save_bert(model: Model, folder: str | Path, config: BertConfig) -> None:
    """Writes config.json and model.safetensors as Hugging Face's from_pretrained reads them.

    Args:
        model: what one of the Bert builders gave.
        folder: where to; it is made if it is not there.
        config: the model's.

    Raises:
        OSError: if a file cannot be written.

    Example:
        >>> import tempfile
        >>> from lamina.applications import BertConfig, BertModel, load_bert, save_bert
        >>> config = BertConfig.tiny(vocab_size=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_bert(BertModel(config), folder, config)
        ...     load_bert(folder, BertModel).name
        'bert'
    """
    from safetensors.numpy import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(bert_arrays(model), folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps({"model_type": "bert", **dataclasses.asdict(config)}, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def load_bert(folder: str | Path, builder: Callable[..., Model], fine_tuning: bool = False, **settings: Any) -> Model:
    """A model of BERT from a folder in Hugging Face's form: config.json, model.safetensors, and maybe vocab.txt.

    Args:
        folder: the folder.
        builder: BertModel, BertForSequenceClassification and so on.
        fine_tuning: whether heads that the file lacks keep their first values, as in `load_bert_weights`.
        **settings: further arguments of the builder.

    Returns:
        Model.

    Raises:
        FileNotFoundError: if a file is not there.
        ValueError: if vocab.txt and the configuration differ in the number of tokens (both are told), it is no UTF-8
            (the place is told), or weights do not fit.

    Example:
        >>> import tempfile
        >>> from lamina.applications import BertConfig, BertForMaskedLM, BertForPreTraining, load_bert, save_bert
        >>> config = BertConfig.tiny(vocab_size=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_bert(BertForPreTraining(config), folder, config)
        ...     load_bert(folder, BertForMaskedLM).name
        'bert_for_masked_lm'
    """
    folder = Path(folder)
    config = BertConfig.from_file(folder / "config.json")
    vocabulary = folder / "vocab.txt"
    if vocabulary.is_file():
        count = len(read_text(vocabulary).rstrip("\n").split("\n"))
        if count != config.vocab_size:
            raise ValueError(f"load_bert: {vocabulary} holds {count} tokens, config.json says {config.vocab_size}")
    model = builder(config, **settings)
    load_bert_weights(model, folder / "model.safetensors", fine_tuning)
    return model
