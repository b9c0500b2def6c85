"""Transformers beside torch.nn.Transformer with the same weights: outputs and gradients."""

import numpy as np
import pytest

import lamina as lm
from lamina.applications import TransformerBody, load_torch_transformer, torch_transformer_state

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(0)
SOURCE, TARGET, DY = (RANDOM.normal(size=(3, steps, 32)).astype("float32") for steps in (9, 7, 7))
SOURCE_SEEN, TARGET_SEEN = (
    np.arange(n) < np.array(lengths)[:, None] for n, lengths in ((9, (9, 4, 6)), (7, (7, 5, 2)))
)
cases = pytest.mark.parametrize(
    ("normalize_first", "activation"), [(False, "relu"), (True, "relu"), (False, "gelu"), (True, "gelu")]
)
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor|.*nested tensors")


def pair(normalize_first, activation):
    torch.manual_seed(1)
    theirs = torch.nn.Transformer(32, 4, 2, 2, 48, 0.0, activation, batch_first=True, norm_first=normalize_first)
    for name, parameter in theirs.named_parameters():  # so that biases and gains matter
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5 if "norm" in name else -0.5, 1.5 if "norm" in name else 0.5)
    ours = TransformerBody(2, 32, 4, 48, 0.0, activation, normalize_first)
    load_torch_transformer(ours, theirs.state_dict())
    return ours, theirs


def close(ours, theirs, name=""):
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4, err_msg=name)


@cases
@pytest.mark.parametrize("masked", [False, True])
def test_outputs_and_gradients(normalize_first, activation, masked):
    ours, theirs = pair(normalize_first, activation)
    s, t = (torch.from_numpy(a).requires_grad_() for a in (SOURCE, TARGET))
    causal = torch.triu(torch.ones(7, 7, dtype=torch.bool), 1)
    masks = {}
    if masked:
        hidden = torch.from_numpy(~SOURCE_SEEN)
        masks = {"src_key_padding_mask": hidden, "memory_key_padding_mask": hidden,
                 "tgt_key_padding_mask": torch.from_numpy(~TARGET_SEEN)}  # fmt: skip
    expected = theirs(s, t, tgt_mask=causal, **masks)
    seen = torch.from_numpy(TARGET_SEEN if masked else np.ones((3, 7), bool))
    (expected * torch.from_numpy(DY) * seen[..., None]).sum().backward()  # what stands behind padding may be anything
    x, y = (lm.tensor(a, requires_grad=True) for a in (SOURCE, TARGET))
    found = ours([x, y], mask=[SOURCE_SEEN, TARGET_SEEN] if masked else None)
    (found * (DY * seen.numpy()[..., None])).sum().backward()
    close(found.numpy() * seen.numpy()[..., None], expected.detach().numpy() * seen.numpy()[..., None])
    close(x.grad.numpy(), s.grad.numpy(), "source")
    close(y.grad.numpy(), t.grad.numpy(), "target")
    gradients = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    for weight in ours.weights:
        weight.assign(weight.grad)
    for name, value in torch_transformer_state(ours).items():
        close(value, gradients[name], name)


def test_state_goes_back():
    ours, theirs = pair(False, "relu")
    state = torch_transformer_state(ours)
    expected = theirs.state_dict()
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(state[name], value.numpy(), err_msg=name)


def test_as_many_parameters_as_theirs():
    theirs = torch.nn.Transformer(device="meta")
    assert sum(p.numel() for p in theirs.parameters()) == TransformerBody().count_params() == 44_140_544
