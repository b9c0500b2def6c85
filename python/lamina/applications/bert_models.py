"""BERT with the heads of its objectives and tasks. The encoder, and the paper, are in bert.py.

Every model takes a dictionary of integers (N, T): input_ids, token_type_ids (0 and 1 for the two texts of a pair) and
attention_mask (1 for tokens, 0 for padding). A row of nothing but padding gives finite numbers: its tokens attend to
nothing.
"""

from __future__ import annotations

from typing import Any

from lamina.applications.bert import Backbone, BertConfig, BertPredictions
from lamina.layers.checks import positive
from lamina.layers.core import Input
from lamina.models.model import Model


def BertModel(config: BertConfig, add_pooling_layer: bool = True, length: int | None = None) -> Model:
    """The encoder alone. 109,482,240 parameters for BERT-base, 335,141,888 for BERT-large.

    Args:
        config: its sizes.
        add_pooling_layer: whether there is a pooler, tanh(W x + b) of the first token.
        length: tokens of a row, where that is fixed; None for rows of any length.

    Returns:
        Model; it gives a dictionary of last_hidden_state (N, T, hidden_size) and pooler_output (N, hidden_size).

    Raises:
        TypeError: if config is no BertConfig.

    Example:
        >>> import numpy as np
        >>> from lamina.applications import BertConfig, BertModel
        >>> model = BertModel(BertConfig.tiny(vocab_size=100))
        >>> ids = np.array([[1, 7, 8, 2, 0]])
        >>> y = model({"input_ids": ids, "token_type_ids": 0 * ids, "attention_mask": ids > 0})
        >>> y["last_hidden_state"].shape, y["pooler_output"].shape
        ((1, 5, 128), (1, 128))
    """
    body = Backbone(config, length)
    outputs = {"last_hidden_state": body.hidden}
    if add_pooling_layer:
        outputs["pooler_output"] = body.pooled()
    return Model(body.inputs, outputs, name="bert")


def BertForPreTraining(config: BertConfig, masked_positions: bool = False, length: int | None = None) -> Model:
    """With both heads of pre-training: masked tokens and the next sentence. 110,106,428 parameters for BERT-base.

    Train it on `lamina.data.sentence_pairs` and `lamina.data.mask_tokens`, with
    ``SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)`` for both outputs.

    Args:
        config: its sizes.
        masked_positions: whether there is a further input of this name, (N, P): the places that logits are wanted for.
        length: as in BertModel.

    Returns:
        Model; it gives a dictionary of prediction_logits (N, T or P, vocab_size) and seq_relationship_logits (N, 2),
        whose class 0 says that the second text follows the first.

    Raises:
        TypeError: if config is no BertConfig.

    Example:
        >>> from lamina.applications import BertConfig, BertForPreTraining
        >>> model = BertForPreTraining(BertConfig.tiny(vocab_size=100), masked_positions=True)
        >>> sorted(model.input_names)
        ['attention_mask', 'input_ids', 'masked_positions', 'token_type_ids']
    """
    body = Backbone(config, length)
    outputs = {
        "prediction_logits": _predictions(body, masked_positions),
        "seq_relationship_logits": body.dense("seq_relationship", body.pooled(), 2),
    }
    return Model(body.inputs, outputs, name="bert_for_pre_training")


def BertForMaskedLM(config: BertConfig, masked_positions: bool = False, length: int | None = None) -> Model:
    """With the head of masked tokens alone, and no pooler: fills gaps.

    Args:
        config, masked_positions, length: as in BertForPreTraining.

    Returns:
        Model; it gives logits (N, T or P, vocab_size).

    Raises:
        TypeError: if config is no BertConfig.

    Example:
        >>> from lamina.applications import BertConfig, BertForMaskedLM
        >>> BertForMaskedLM(BertConfig.tiny(vocab_size=100)).output.shape
        (None, None, 100)
    """
    body = Backbone(config, length)
    return Model(body.inputs, _predictions(body, masked_positions), name="bert_for_masked_lm")


def BertForSequenceClassification(config: BertConfig, num_labels: int = 2, length: int | None = None) -> Model:
    """With dropout and a dense layer on the pooler's output: a class for a text, or a pair.

    Args:
        config: its sizes.
        num_labels: how many classes there are.
        length: as in BertModel.

    Returns:
        Model; it gives logits (N, num_labels).

    Raises:
        TypeError: if config is no BertConfig.
        ValueError: if num_labels is not positive.

    Example:
        >>> from lamina.applications import BertConfig, BertForSequenceClassification
        >>> BertForSequenceClassification(BertConfig.tiny(), num_labels=5).output.shape
        (None, 5)
    """
    body = Backbone(config, length)
    units = positive(num_labels, "BertForSequenceClassification", "num_labels")
    return Model(body.inputs, body.head("classifier", body.pooled(), units), name="bert_for_sequence_classification")


def BertForTokenClassification(config: BertConfig, num_labels: int = 2, length: int | None = None) -> Model:
    """With dropout and a dense layer on every token: a class for each (tagging).

    Args:
        config: its sizes.
        num_labels: how many classes there are.
        length: as in BertModel.

    Returns:
        Model; it gives logits (N, T, num_labels).

    Raises:
        TypeError: if config is no BertConfig.
        ValueError: if num_labels is not positive.

    Example:
        >>> from lamina.applications import BertConfig, BertForTokenClassification
        >>> BertForTokenClassification(BertConfig.tiny(), num_labels=5).output.shape
        (None, None, 5)
    """
    body = Backbone(config, length)
    units = positive(num_labels, "BertForTokenClassification", "num_labels")
    return Model(body.inputs, body.head("classifier", body.hidden, units), name="bert_for_token_classification")


def BertForQuestionAnswering(config: BertConfig, length: int | None = None) -> Model:
    """With a dense layer that tells where the answer begins and ends: for rows [CLS] question [SEP] passage [SEP].

    `lamina.applications.best_spans` reads the answers off.

    Args:
        config: its sizes.
        length: as in BertModel.

    Returns:
        Model; it gives a dictionary of start_logits and end_logits, (N, T) each.

    Raises:
        TypeError: if config is no BertConfig.

    Example:
        >>> from lamina.applications import BertConfig, BertForQuestionAnswering
        >>> BertForQuestionAnswering(BertConfig.tiny()).output_names
        ['start_logits', 'end_logits']
    """
    body = Backbone(config, length)
    both = body.dense("qa_outputs", body.hidden, 2)
    outputs = {"start_logits": both[..., 0], "end_logits": both[..., 1]}
    return Model(body.inputs, outputs, name="bert_for_question_answering")


def _predictions(body: Backbone, masked_positions: bool) -> Any:
    head = BertPredictions(body.embeddings, name="predictions")
    if not masked_positions:
        return head(body.hidden)
    body.inputs["masked_positions"] = Input((None,), dtype="int64", name="masked_positions")
    return head(body.hidden, masked_positions=body.inputs["masked_positions"])
