"""Hugging Face's names: there and back, old names, and errors that tell all that is wrong at once."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import (
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    load_bert,
    load_bert_weights,
    save_bert,
)
from lamina.applications.bert_weights import bert_arrays, bert_layout

CONFIG = BertConfig.tiny(vocab_size=60, hidden_size=32, intermediate_size=64, max_position_embeddings=20)
X = {"input_ids": np.array([[1, 7, 8, 2, 0]]), "token_type_ids": np.array([[0, 0, 1, 1, 0]]),
     "attention_mask": np.array([[1, 1, 1, 1, 0]])}  # fmt: skip


def test_every_weight_has_a_name():
    for builder in (BertModel, BertForPreTraining, BertForSequenceClassification, BertForQuestionAnswering):
        model = builder(CONFIG)
        held = [held.variable for held in bert_layout(model).values()]
        assert {id(v) for v in held} == {id(v) for v in model.weights}
        assert len(held) == len(model.weights)


def test_there_and_back(tmp_path):
    model = BertForPreTraining(CONFIG)
    save_bert(model, tmp_path / "bert", CONFIG)
    again = load_bert(tmp_path / "bert", BertForPreTraining)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    assert BertConfig.from_file(tmp_path / "bert" / "config.json") == CONFIG


def test_old_names_and_no_prefix():
    model = BertModel(CONFIG)
    old = {
        name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): array
        for name, array in bert_arrays(model).items()
    }  # fmt: skip
    assert "embeddings.LayerNorm.gamma" in old
    old["embeddings.position_ids"] = np.arange(20)[None]
    again = BertModel(CONFIG)
    assert load_bert_weights(again, old) == []
    assert (again.predict(X, verbose=0)["pooler_output"] == model.predict(X, verbose=0)["pooler_output"]).all()


def test_fine_tuning_takes_the_encoder():
    lm.set_seed(1)
    trained, new = BertForPreTraining(CONFIG), BertForQuestionAnswering(CONFIG)
    head = new.get_layer("qa_outputs").get_weights()
    assert load_bert_weights(new, trained, fine_tuning=True) == ["qa_outputs.weight", "qa_outputs.bias"]
    assert all((a == b).all() for a, b in zip(new.get_layer("qa_outputs").get_weights(), head, strict=True))
    for name in ("embeddings", "layer_0", "layer_1"):
        pairs = zip(new.get_layer(name).get_weights(), trained.get_layer(name).get_weights(), strict=True)
        assert all((a == b).all() for a, b in pairs)


def test_all_that_is_wrong_is_told_and_nothing_changes():
    model = BertModel(CONFIG)
    before = model.get_weights()
    arrays = {name: array + 1 for name, array in bert_arrays(model).items()}
    del arrays["bert.pooler.dense.bias"], arrays["bert.encoder.layer.0.attention.self.key.weight"]
    arrays["bert.encoder.layer.2.output.dense.bias"] = np.zeros(32, "float32")
    arrays["bert.embeddings.word_embeddings.weight"] = np.zeros((61, 32), "float32")
    with pytest.raises(ValueError, match="do not fit bert, by the names of Hugging Face") as caught:
        load_bert_weights(model, arrays)
    for told in (
        "bert.pooler.dense.bias is missing",
        "bert.encoder.layer.0.attention.self.key.weight is missing",
        "bert.encoder.layer.2.output.dense.bias is not in the model",
        "bert.embeddings.word_embeddings.weight must have shape (60, 32), got (61, 32)",
    ):
        assert told in str(caught.value)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_missing_block_is_missing_in_fine_tuning_too():
    arrays = bert_arrays(BertModel(CONFIG))
    del arrays["bert.encoder.layer.1.output.dense.bias"]
    with pytest.raises(ValueError, match=r"bert.encoder.layer.1.output.dense.bias is missing"):
        load_bert_weights(BertForQuestionAnswering(CONFIG), arrays, fine_tuning=True)


def test_a_head_begins_anew_only_where_that_is_asked_for(tmp_path):
    save_bert(BertForPreTraining(CONFIG), tmp_path, CONFIG)
    load_bert(tmp_path, BertModel)  # heads that are not wanted are passed over
    with pytest.raises(ValueError, match=r"model.safetensors do not fit .* qa_outputs.weight is missing; qa"):
        load_bert(tmp_path, BertForQuestionAnswering)
    load_bert(tmp_path, BertForQuestionAnswering, fine_tuning=True)


def test_half_precision_is_read_as_float32():
    model, arrays = BertModel(CONFIG), bert_arrays(BertModel(CONFIG))
    load_bert_weights(model, {name: array.astype("float16") for name, array in arrays.items()})
    for name, array in bert_arrays(model).items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, arrays[name], rtol=1e-3, atol=1e-6)


def test_the_copy_of_the_table_must_be_one():
    model = BertForPreTraining(CONFIG)
    arrays = bert_arrays(model)
    table = arrays["bert.embeddings.word_embeddings.weight"]
    copies = {"cls.predictions.decoder.weight": table, "cls.predictions.decoder.bias": arrays["cls.predictions.bias"]}
    assert load_bert_weights(model, {**arrays, **copies}) == []
    with pytest.raises(ValueError, match=r"cls.predictions.decoder.weight must be the same as bert.embeddings.word"):
        load_bert_weights(model, {**arrays, "cls.predictions.decoder.weight": table + 1})


def test_vocabulary_and_configuration_must_agree(tmp_path):
    save_bert(BertModel(CONFIG), tmp_path, CONFIG)
    (tmp_path / "vocab.txt").write_text("".join(f"token{i}\n" for i in range(59)), encoding="utf-8")
    with pytest.raises(ValueError, match=r"vocab.txt holds 59 tokens, config.json says 60"):
        load_bert(tmp_path, BertModel)
    (tmp_path / "vocab.txt").write_bytes(b"token\xff\n" * 60)
    with pytest.raises(ValueError, match=r"vocab.txt: byte 0xff at offset 5 is no UTF-8"):
        load_bert(tmp_path, BertModel)
    (tmp_path / "vocab.txt").write_bytes(b"token\n" * 60 + b"\n")  # an empty last line is no token
    assert load_bert(tmp_path, BertModel).name == "bert"
    with pytest.raises(FileNotFoundError):
        load_bert(tmp_path / "nowhere", BertModel)
    with pytest.raises(ValueError, match="which has no BertEmbeddings"):
        bert_layout(lm.models.Model(x := lm.layers.Input((3,)), lm.layers.Dense(2)(x)))
