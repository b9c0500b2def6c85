"""BERT's encoder, heads and tasks: published sizes, masks, saving, bad input."""

import json

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
)
from lamina.applications.bert import BertBlock, BertEmbeddings

SMALL = BertConfig.tiny(vocab_size=60, hidden_size=32, intermediate_size=64, max_position_embeddings=20)


def batch(rows=3, length=12, seed=0):
    draw = np.random.default_rng(seed)
    ids = draw.integers(4, SMALL.vocab_size, (rows, length))
    mask = np.arange(length) < draw.integers(5, length + 1, rows)[:, None]
    ids[~mask] = 0
    types = (np.arange(length) >= 4).astype(np.int64) * mask
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask.astype(np.int64)}


def test_published_sizes():
    def count(builder, config):
        """A model of all blocks from those of one and two: they are all of one size."""
        one, two = (builder(BertConfig(**{**vars(config), "num_hidden_layers": n})).count_params() for n in (1, 2))
        return one + (config.num_hidden_layers - 1) * (two - one)

    assert count(BertModel, BertConfig()) == 109_482_240
    assert count(BertForPreTraining, BertConfig()) == 110_106_428
    assert count(BertModel, BertConfig.large()) == 335_141_888
    assert BertModel(BertConfig.tiny()).count_params() == 4_385_920


def test_outputs_of_all_heads():
    x = batch()
    shapes = {
        BertModel: {"last_hidden_state": (3, 12, 32), "pooler_output": (3, 32)},
        BertForPreTraining: {"prediction_logits": (3, 12, 60), "seq_relationship_logits": (3, 2)},
        BertForQuestionAnswering: {"start_logits": (3, 12), "end_logits": (3, 12)},
        BertForMaskedLM: (3, 12, 60),
        BertForSequenceClassification: (3, 2),
        BertForTokenClassification: (3, 12, 2),
    }
    for builder, expected in shapes.items():
        y = builder(SMALL).predict(x, verbose=0)
        assert ({name: a.shape for name, a in y.items()} if isinstance(y, dict) else y.shape) == expected
    assert BertModel(SMALL, add_pooling_layer=False).output_names == ["last_hidden_state"]
    assert BertModel(SMALL, length=12).input_shape["input_ids"] == (None, 12)


def test_masked_positions_are_rows_of_all_logits():
    lm.set_seed(1)
    model, whole = BertForPreTraining(SMALL, masked_positions=True), BertForPreTraining(SMALL)
    whole.set_weights(model.get_weights())
    x, positions = batch(), np.array([[1, 3], [2, 0], [4, 4]])
    part = model.predict({**x, "masked_positions": positions}, verbose=0)["prediction_logits"]
    every = whole.predict(x, verbose=0)["prediction_logits"]
    assert (part == np.take_along_axis(every, positions[:, :, None], axis=1)).all()


def test_padding_changes_nothing_before_it():
    lm.set_seed(2)
    model = BertModel(SMALL)
    x = batch(rows=1, length=8)
    x["attention_mask"][:] = 1
    padded = {name: np.pad(a, ((0, 0), (0, 6))) for name, a in x.items()}
    padded["input_ids"][:, 8:] = 7  # what stands in padding does not matter
    alone, more = model.predict(x, verbose=0), model.predict(padded, verbose=0)
    np.testing.assert_allclose(more["last_hidden_state"][:, :8], alone["last_hidden_state"], atol=1e-5)
    np.testing.assert_allclose(more["pooler_output"], alone["pooler_output"], atol=1e-5)


def test_a_row_of_padding_is_finite_and_changes_no_other():
    lm.set_seed(3)
    model = BertForPreTraining(SMALL)
    x = batch()
    before = model.predict(x, verbose=0)
    for name in x:
        x[name][1] = 0
    loss_of = lm.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = model(x, training=True)
    loss = loss_of(x["input_ids"], y["prediction_logits"]) + loss_of([0, 1, 0], y["seq_relationship_logits"])
    loss.backward()
    assert all(np.isfinite(v.grad.numpy()).all() for v in model.trainable_weights)
    after = model.predict(x, verbose=0)
    for name, values in after.items():
        assert np.isfinite(values).all()
        assert (values[[0, 2]] == before[name][[0, 2]]).all()


def test_a_row_has_the_same_bits_alone():
    model = BertForQuestionAnswering(SMALL)
    x = batch()
    together = model.predict(x, verbose=0)
    for row in range(3):
        alone = model.predict({name: a[row : row + 1] for name, a in x.items()}, verbose=0)
        assert all((alone[name][0] == together[name][row]).all() for name in alone)


def test_both_heads_learn_and_the_table_is_one():
    lm.set_seed(4)
    model = BertForPreTraining(BertConfig(**{**vars(SMALL), "hidden_dropout_prob": 0.0}), masked_positions=True)
    assert sum(v.size == 60 * 32 for v in model.weights) == 1
    positions = np.array([[1, 3], [2, 0], [4, 5]])
    x = {**batch(), "masked_positions": positions}
    labels = np.where(positions, np.take_along_axis(x["input_ids"], positions, axis=1), -100)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)
    model.compile(lm.optimizers.Adam(3e-3), {"prediction_logits": loss, "seq_relationship_logits": loss})
    targets = {"prediction_logits": labels, "seq_relationship_logits": np.array([0, 1, 0])}
    history = model.fit(x, targets, epochs=40, verbose=0, shuffle=False).history
    assert history["loss"][-1] < 0.3 * history["loss"][0]


@pytest.mark.parametrize("builder", [BertForPreTraining, BertForTokenClassification, BertForQuestionAnswering])
def test_saved_and_loaded(builder, tmp_path):
    model, x = builder(SMALL), batch()
    model.save(tmp_path / "bert.safetensors")
    again = lm.models.load_model(tmp_path / "bert.safetensors")
    assert again.count_params() == model.count_params()
    first, second = model.predict(x, verbose=0), again.predict(x, verbose=0)
    assert all((first[n] == second[n]).all() for n in first) if isinstance(first, dict) else (first == second).all()


def test_attention_dropout_is_its_own():
    block = BertBlock(0.25, intermediate_dim=8, num_heads=2, dropout=0.1)
    block.build((None, 3, 4))
    again = BertBlock.from_config(block.get_config())
    again.build((None, 3, 4))
    assert block.self_attention_layer.dropout == again.self_attention_layer.dropout == 0.25
    assert again.dropout == 0.1


def test_config_from_a_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "bert", "hidden_size": 24, "num_attention_heads": 3, "use_cache": True}))
    assert BertConfig.from_file(path) == BertConfig(hidden_size=24, num_attention_heads=3)
    for text, message in [
        ('{"model_type": "gpt2"}', "model_type \"bert\", got 'gpt2'"),
        ("[1]", "got 'list'"),
        ("{", "is no JSON"),
        ('{"is_decoder": true}', "is_decoder=True; only False"),
        ('{"position_embedding_type": "relative_key"}', "position_embedding_type='relative_key'"),
        ('{"hidden_size": 25}', "num_attention_heads=12 does not divide hidden_size=25"),
        ('{"hidden_act": "gelu_new"}', "hidden_act must be one of .*, got 'gelu_new'"),
        ('{"vocab_size": 0}', "vocab_size must be"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            BertConfig.from_file(path)
    with pytest.raises(FileNotFoundError):
        BertConfig.from_file(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_ids": np.ones((1, 21), int), "token_type_ids": np.zeros((1, 21), int),
          "attention_mask": np.ones((1, 21), int)}, r"T from 1 to the 20 positions that there are, got \(1, 21\)"),
        ({"input_ids": np.ones((1, 0), int), "token_type_ids": np.zeros((1, 0), int),
          "attention_mask": np.ones((1, 0), int)}, r"T from 1 to the 20 positions that there are, got \(1, 0\)"),
        ({"input_ids": np.array([[4, 60, 4]])}, "60"),
        ({"input_ids": np.array([[4, -1, 4]])}, "-1"),
        ({"token_type_ids": np.array([[0, 2, 0]])}, "2"),
        ({"token_type_ids": np.zeros((1, 4), int)}, r"token_type_ids must have the shape of input_ids, \(1, 3\)"),
        ({"attention_mask": np.array([[1, 2, 0]])}, "must hold booleans .or 0 and 1., got 2"),
        ({"attention_mask": np.ones((1, 5), int)}, r"must have shape \(1, 3\), got \(1, 5\)"),
    ],
)  # fmt: skip
def test_bad_rows(change, message):
    x = {"input_ids": np.ones((1, 3), int), "token_type_ids": np.zeros((1, 3), int),
         "attention_mask": np.ones((1, 3), int)}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        BertModel(SMALL)({**x, **change})


def test_what_builders_refuse():
    with pytest.raises(TypeError, match="expected a BertConfig, got dict"):
        BertModel({"hidden_size": 32})
    with pytest.raises(ValueError, match="num_labels must be"):
        BertForSequenceClassification(SMALL, num_labels=0)
    layer = BertEmbeddings(SMALL)
    assert BertEmbeddings.from_config(layer.get_config()).config == SMALL


def test_tagging_is_learned_and_scored():
    lm.set_seed(5)
    x = batch(rows=24)
    tags = np.where(x["attention_mask"], x["input_ids"] % 3, -100)  # of a token alone, so that it can be learned
    model = BertForTokenClassification(SMALL, num_labels=3)
    loss = lm.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)
    model.compile(lm.optimizers.Adam(5e-3), loss)
    model.fit(x, tags, epochs=30, batch_size=8, verbose=0)
    seen = tags != -100
    f1 = lm.metrics.F1Score(average="macro")
    f1.update_state(np.eye(3)[tags[seen]], model.predict(x, verbose=0)[seen])
    assert f1.result() > 0.95


def test_an_empty_text_is_two_tokens():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word"]
    batch = lm.data.WordPieceTokenizer(pieces).encode_batch(["", "word"])
    assert batch.ids.tolist() == [[2, 3, 0], [2, 5, 3]]
    x = {"input_ids": batch.ids, "token_type_ids": batch.segment_ids, "attention_mask": batch.mask}
    y = BertForQuestionAnswering(SMALL).predict(x, verbose=0)
    assert all(np.isfinite(values).all() for values in y.values())
    spans, scores = lm.applications.best_spans(y["start_logits"], y["end_logits"], batch.segment_ids)
    assert spans.tolist() == [[0, 0], [0, 0]]  # there is no second text to find anything in
    assert (scores == -np.inf).all()
