"""generate: the same with and without a cache; beams and draws by their definitions; prompts; errors."""

import itertools

import numpy as np
import pytest

import lamina as lm
from lamina.applications import Transformer, TransformerDecoderOnly, attention_to_source, generate
from lamina.applications.decoding import likeliest

SMALL = {"num_layers": 2, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 32}
SOURCE = np.array([[3, 4, 5, 6], [7, 8, 0, 0], [0, 0, 0, 0], [9, 3, 3, 0]])
METHODS = [
    {"method": "greedy"},
    {"method": "beam", "beams": 3},
    {"method": "sample", "seed": 1},
    {"method": "sample", "seed": 2, "temperature": 0.5, "top_k": 3, "top_p": 0.9},
]


def translator(**settings):
    lm.set_seed(1)
    model = Transformer(12, **{**SMALL, **settings})
    for weight in model.weights:  # far from uniform, so that choices are clear
        weight.assign(weight.numpy() * 2)
    return model


def writer(**settings):
    lm.set_seed(2)
    model = TransformerDecoderOnly(6, **{**SMALL, **settings})
    for weight in model.weights:
        weight.assign(weight.numpy() * 2)
    return model


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("normalize_first", [False, True])
def test_a_cache_changes_nothing(method, normalize_first):
    model = translator(normalize_first=normalize_first)
    with_cache = generate(model, SOURCE, max_length=9, return_scores=True, **method)
    without = generate(model, SOURCE, max_length=9, return_scores=True, use_cache=False, **method)
    for a, b in zip(with_cache, without, strict=True):
        np.testing.assert_array_equal(a, b)
    alone = [generate(model, row[None], max_length=9, **method)[0] for row in SOURCE]
    if method["method"] != "sample":  # rows are drawn together
        for row, expected in zip(with_cache[0], alone, strict=True):
            np.testing.assert_array_equal(row[: len(expected)], expected)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_without_an_encoder(method):
    model, prompt = writer(), np.array([[3, 4], [5, 1]])
    found = generate(model, prompt=prompt, max_length=8, **method)
    np.testing.assert_array_equal(found[:, :2], prompt)
    np.testing.assert_array_equal(found, generate(model, prompt=prompt, max_length=8, use_cache=False, **method))


def test_prompts_of_several_lengths():
    model, prompt = writer(), np.array([[3, 4, 5], [5, 0, 0]])
    found = generate(model, prompt=prompt, max_length=6, end_token=None)
    np.testing.assert_array_equal(found[0], generate(model, prompt=prompt[:1], max_length=6, end_token=None)[0])
    np.testing.assert_array_equal(found[1], generate(model, prompt=prompt[1:, :1], max_length=8, end_token=None)[0])


def test_ends_and_padding():
    model = translator()
    found = generate(model, SOURCE, max_length=20)
    for row in found:
        ends = np.flatnonzero(row == 2)
        if ends.size:
            assert (row[ends[0] + 1 :] == 0).all()
            assert (row[: ends[0]] != 0).all()
    again, scores = generate(model, SOURCE, max_length=20, return_scores=True)
    logits = lm.ops.log_softmax(model([SOURCE, again[:, :-1]])).numpy()
    picked = np.take_along_axis(logits, again[:, 1:, None], 2)[..., 0]
    written = np.cumsum(np.concatenate([np.zeros((4, 1), bool), again[:, 1:-1] == 2], 1), 1) == 0
    np.testing.assert_allclose(scores, (picked * written).sum(1), rtol=1e-5)


def log_probability(model, tokens):
    logs = lm.ops.log_softmax(model(np.array([tokens[:-1]]))).numpy()[0]
    return float(logs[np.arange(len(tokens) - 1), tokens[1:]].sum())


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0])
def test_beams_find_the_best_of_all(penalty):
    """With as many beams as there are beginnings, the search is exhaustive."""
    model, longest = writer(), 3
    best = []
    for length in range(1, longest + 1):
        for tokens in itertools.product(range(1, 6), repeat=length):
            if 2 in tokens[:-1] or (tokens[-1] != 2 and length < longest):
                continue
            best.append((log_probability(model, [3, *tokens]) / ((5 + length) / 6) ** penalty, tokens))
    score, tokens = max(best)
    settings = {"method": "beam", "beams": 216, "length_penalty": penalty, "max_length": longest}
    found, scores = generate(model, prompt=[[3]], return_scores=True, **settings)
    assert tuple(found[0, 1 : 1 + len(tokens)]) == tokens
    assert scores[0] == pytest.approx(score, rel=1e-5)
    one = generate(model, prompt=[[3]], method="beam", beams=1, max_length=longest, length_penalty=0.0)
    greedy = generate(model, prompt=[[3]], max_length=longest)
    assert one.tolist() == greedy.tolist()


def test_draws_are_from_the_softmax():
    model = writer()
    prompt = np.full((4000, 1), 3)
    drawn = generate(model, prompt=prompt, method="sample", max_length=1, temperature=0.7, seed=5)[:, 1]
    p = lm.ops.softmax(model(prompt[:1])[0, 0] / 0.7).numpy()
    p[0] = 0  # padding is not written
    p /= p.sum()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / 4000, p, atol=0.03)
    order = np.argsort(-p)
    few = generate(model, prompt=prompt, method="sample", max_length=1, temperature=0.7, top_k=2, seed=5)[:, 1]
    assert set(few) == set(order[:2])
    a, b = (generate(model, prompt=prompt[:9], method="sample", max_length=5, seed=kind(5)) for kind in (int, np.int64))
    assert a.tolist() == b.tolist()
    lm.set_seed(4)
    a = generate(model, prompt=prompt[:9], method="sample", max_length=5)
    b = generate(model, prompt=prompt[:9], method="sample", max_length=5)
    lm.set_seed(4)
    assert generate(model, prompt=prompt[:9], method="sample", max_length=5).tolist() == a.tolist() != b.tolist()


def test_the_likeliest():
    logs = np.log([[0.1, 0.5, 0.15, 0.25]])
    assert np.isfinite(likeliest(logs, 2, None)).tolist() == [[False, True, False, True]]
    assert np.isfinite(likeliest(logs, None, 0.76)).tolist() == [[False, True, True, True]]
    assert np.isfinite(likeliest(logs, None, 0.01)).tolist() == [[False, True, False, False]]
    np.testing.assert_array_equal(likeliest(logs, None, None), logs)


def test_saved_models_write_the_same(tmp_path):
    model = translator()
    model.save(tmp_path / "m.safetensors")
    again = lm.models.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(generate(again, SOURCE, max_length=5), generate(model, SOURCE, max_length=5))
    two = Transformer(12, 15, **SMALL, tie_embeddings=False)
    np.testing.assert_array_equal(
        generate(two, SOURCE, max_length=5), generate(two, SOURCE, max_length=5, use_cache=False)
    )


def test_attention_to_source():
    model = translator()
    scores = attention_to_source(model, SOURCE, [[1, 5], [1, 6], [1, 4], [1, 3]])
    assert scores.shape == (4, 2, 2, 4)
    np.testing.assert_allclose(scores[0].sum(-1), 1, atol=1e-5)
    assert (scores[1, :, :, 2:] == 0).all()
    assert (scores[2] == 0).all()  # nothing but padding


def test_attention_of_each_block():
    model, target = translator(), [[1, 5]]
    first, last = (attention_to_source(model, SOURCE[:1], target, layer) for layer in (0, 1))
    assert np.abs(first - last).max() > 1e-3
    np.testing.assert_array_equal(first, attention_to_source(model, SOURCE[:1], target, -2))
    with pytest.raises(ValueError, match="has 2 blocks in its decoder, got layer=2"):
        attention_to_source(model, SOURCE[:1], target, 2)
    with pytest.raises(ValueError, match="transformer_decoder_only has no encoder"):
        attention_to_source(writer(), SOURCE[:1], target)
    with pytest.raises(TypeError, match="attention_to_source: target must hold integers, got float64"):
        attention_to_source(model, SOURCE[:1], [[1.5]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "best"}, r"method must be one of \('greedy', 'beam', 'sample'\), got 'best'"),
        ({"source": None}, "transformer needs source"),
        ({"max_length": 31}, "has 30 positions: behind a prompt of 1 max_length must be from 1 to 30, got 31"),
        ({"prompt": [[1] * 31]}, "behind a prompt of 31 max_length must be from 1 to 0"),
        ({"prompt": [[1], [1]]}, "source and prompt must have as many rows, got 1 and 2"),
        ({"prompt": [[0, 1]]}, "row 0 of the prompt is empty"),
        ({"prompt": [[1, 0, 3]]}, "the prompt must be padded behind its tokens"),
        ({"prompt": [[1, 0]], "method": "beam"}, "beams need prompts of one length"),
        *(
            ({"end_token": token, "method": method}, f"end_token must be one .* tokens, from 1 to 11, got {token}")
            for token in (12, 0, -1, 2.5)
            for method in ("greedy", "sample", "beam")
        ),
        ({"end_token": None, "method": "beam"}, "end_token must be one of the model's tokens, from 1 to 11, got None"),
        ({"source": [[3] * 31]}, "there are 30 positions, from 0 to 29; got a sequence from 0 to 30"),
        ({"source": [[12]]}, "indices must be"),
        ({"beams": 0}, "beams must be a positive integer, got 0"),
        ({"temperature": 0}, "temperature must be positive and finite, got 0"),
        ({"temperature": float("inf")}, "temperature must be positive and finite, got inf"),
        ({"top_k": 0}, "top_k must be a positive integer, got 0"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1, got 1.5"),
        ({"source": [3, 4]}, r"source must have shape \(B, length\), got \(2,\)"),
    ],
)  # fmt: skip
def test_bad_arguments(arguments, message):
    model = translator(sequence_length=30)
    with pytest.raises(ValueError, match=message):
        generate(model, **{"source": [[3, 4]], **arguments})


def test_bad_kinds():
    with pytest.raises(TypeError, match="source must hold integers, got float64"):
        generate(translator(), [[0.5]])
    with pytest.raises(ValueError, match="a model without an encoder needs a prompt"):
        generate(writer())
    with pytest.raises(ValueError, match="takes no source"):
        generate(writer(), [[3]])
