"""BERT beside Hugging Face's: hidden states, all heads, gradients, files both ways. Skipped without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lamina as lm
from lamina.applications import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    load_bert,
    load_bert_weights,
    save_bert,
)
from lamina.applications.bert_weights import COPIES, bert_layout
from parity.torchvision_peer import torch  # transformers imports torchvision

transformers = pytest.importorskip("transformers")

SIZES = {"vocab_size": 300, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
         "intermediate_size": 96, "max_position_embeddings": 40}  # fmt: skip
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def theirs(kind: str, seed: int = 0, **settings: Any) -> Any:
    """Hugging Face's model, its weights and biases all random."""
    torch.manual_seed(seed)
    model = getattr(transformers, kind)(transformers.BertConfig(**settings)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # they begin at 0 and 1
                parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def state(model: Any) -> dict[str, Any]:
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def batch(vocab_size: int, rows: int = 3, length: int = 21, seed: int = 0) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    mask = np.arange(length) < np.array([length, length - 4, 7][:rows])[:, None]
    return {
        "input_ids": draw.integers(1, vocab_size, (rows, length)) * mask,
        "token_type_ids": (np.arange(length) >= 5) * mask.astype(np.int64),
        "attention_mask": mask.astype(np.int64),
    }


def both_outputs(ours: Any, model: Any, x: dict[str, Any]) -> None:
    with torch.no_grad():
        expected = model(**{name: torch.from_numpy(array) for name, array in x.items()})
    y = ours.predict(x, verbose=0)
    for name, values in (y if isinstance(y, dict) else {"logits": y}).items():
        np.testing.assert_allclose(values, expected[name].numpy(), atol=1e-4, rtol=0, err_msg=name)


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_hidden_states_and_pooler(activation: str) -> None:
    model = theirs("BertModel", **SIZES, hidden_act=activation)
    ours = BertModel(BertConfig(**SIZES, hidden_act=activation))
    assert load_bert_weights(ours, state(model)) == []
    both_outputs(ours, model, batch(300))
    x = batch(300)
    with torch.no_grad():
        every = model(**{name: torch.from_numpy(a) for name, a in x.items()}, output_hidden_states=True).hidden_states
    tensor = ours.get_layer("embeddings")(x["input_ids"], x["token_type_ids"])
    for i, expected in enumerate(every):  # block by block
        np.testing.assert_allclose(tensor.numpy(), expected.numpy(), atol=1e-4)
        if i < len(every) - 1:
            tensor = ours.get_layer(f"layer_{i}")(tensor, padding_mask=x["attention_mask"])


HEADS = {
    "BertForPreTraining": BertForPreTraining,
    "BertForMaskedLM": BertForMaskedLM,
    "BertForSequenceClassification": BertForSequenceClassification,
    "BertForTokenClassification": BertForTokenClassification,
    "BertForQuestionAnswering": BertForQuestionAnswering,
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads(kind: str) -> None:
    labels = {"num_labels": 5} if "Classification" in kind else {}
    model = theirs(kind, **SIZES, **labels)
    ours = HEADS[kind](BertConfig(**SIZES), **labels)
    assert load_bert_weights(ours, state(model)) == []
    assert ours.count_params() == sum(p.numel() for p in model.parameters())
    both_outputs(ours, model, batch(300))


def check_step(ours: Any, model: Any, vocab_size: int) -> None:
    """The gradients of both objectives' loss."""
    x = batch(vocab_size)
    draw = np.random.default_rng(1)
    labels = np.where((draw.random(x["input_ids"].shape) < 0.3) & (x["input_ids"] > 0), x["input_ids"], -100)
    follows = np.array([0, 1, 1])
    there = {name: torch.from_numpy(a) for name, a in x.items()}
    expected = model(**there, labels=torch.from_numpy(labels), next_sentence_label=torch.from_numpy(follows)).loss
    expected.backward()
    loss_of = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)
    y = ours(x, training=True)
    loss = loss_of(labels, y["prediction_logits"]) + loss_of(follows, y["seq_relationship_logits"])
    loss.backward()
    assert abs(loss.item() - expected.item()) < 1e-4 * expected.item()
    gradients = {name: p.grad for name, p in model.named_parameters() if name not in COPIES}
    layout = bert_layout(ours)
    assert gradients.keys() == layout.keys()
    for name, held in layout.items():
        right = held.value(gradients[name].numpy())
        scale = abs(right).max()
        if name.endswith("self.key.bias"):  # 0 but for rounding: softmax does not change with it
            scale = abs(gradients[name.replace("key", "query")].numpy()).max()
        assert abs(held.variable.grad.numpy() - right).max() <= 1e-3 * scale, name


def test_a_steps_gradients() -> None:
    model = theirs("BertForPreTraining", **SIZES, **NO_DROPOUT)
    ours = BertForPreTraining(BertConfig(**SIZES, **NO_DROPOUT))
    load_bert_weights(ours, state(model))
    check_step(ours, model, 300)


def test_bert_base() -> None:
    model = theirs("BertForPreTraining", **NO_DROPOUT)
    ours = BertForPreTraining(BertConfig(**NO_DROPOUT))
    assert ours.count_params() == sum(p.numel() for p in model.parameters()) == 110_106_428
    load_bert_weights(ours, state(model))
    both_outputs(ours, model, batch(30522))
    check_step(ours, model, 30522)


def test_files_both_ways(tmp_path: Any) -> None:
    model = theirs("BertForPreTraining", **SIZES)
    model.save_pretrained(tmp_path / "theirs")
    ours = load_bert(tmp_path / "theirs", BertForPreTraining)
    both_outputs(ours, model, batch(300))
    tuned = load_bert(tmp_path / "theirs", BertForQuestionAnswering, fine_tuning=True)
    assert (tuned.get_layer("embeddings").get_weights()[0] == ours.get_layer("embeddings").get_weights()[0]).all()
    save_bert(ours, tmp_path / "ours", BertConfig(**SIZES))
    again = transformers.BertForPreTraining.from_pretrained(tmp_path / "ours").eval()
    both_outputs(ours, again, batch(300))
