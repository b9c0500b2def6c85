import numpy as np
import pytest

import lamina as lm
from op_testing import check_op, check_rows_alone

random = np.random.default_rng(0)


def values(*shapes):
    return [random.normal(size=shape) for shape in shapes]


CASES = [
    ("ij,jk->ik", [(3, 4), (4, 5)]),
    ("ij,jk", [(3, 4), (4, 5)]),
    ("ij,kj->ik", [(3, 4), (5, 4)]),
    ("ji,jk->ki", [(4, 3), (4, 5)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bij,bkj->bki", [(2, 3, 4), (2, 5, 4)]),
    ("bihd,bjhd->bhij", [(2, 3, 4, 5), (2, 6, 4, 5)]),
    ("bhij,bjhd->bihd", [(2, 4, 3, 6), (2, 6, 4, 5)]),
    ("i,i", [(4,), (4,)]),
    ("i,i->i", [(4,), (4,)]),
    ("i,j->ij", [(3,), (4,)]),
    ("i,j->ji", [(3,), (4,)]),
    ("bi,bi->b", [(3, 4), (3, 4)]),
    ("bi,bi,b->", [(3, 4), (3, 4), (3,)]),
    ("ij->ji", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("ij->j", [(3, 4)]),
    ("ijk->ki", [(3, 4, 2)]),
    ("ii->i", [(4, 4)]),
    ("ii", [(4, 4)]),
    ("iji->j", [(3, 4, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ii,ij->j", [(4, 4), (4, 3)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (4, 5)]),
    ("...ij,...jk", [(6, 1, 3, 4), (2, 4, 5)]),
    ("...i->...", [(2, 3, 4)]),
    ("i...,i...->...", [(3, 4), (3, 1)]),
    ("b...c,cd->b...d", [(2, 3, 4, 5), (5, 6)]),
    ("ij,jk,kl->il", [(3, 4), (4, 5), (5, 2)]),
    ("ij,k,jl->lk", [(3, 4), (2,), (4, 5)]),
    ("ij,ij,ij->ij", [(3, 4), (3, 4), (3, 4)]),
    ("ij,jk->k", [(3, 4), (4, 5)]),
    ("ab,bc->ac", [(3, 1), (4, 5)]),
    ("ab,b->a", [(3, 4), (1,)]),
    ("ab,b->ab", [(1, 1), (1,)]),
    (",ij->ij", [(), (3, 4)]),
    (" i j , j k -> i k ", [(3, 4), (4, 5)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), CASES)
def test_einsum(subscripts, shapes):
    def reference(*arrays):
        sizes = {c: n for a, t in zip(arrays, subscripts.replace(" ", "").split("->")[0].split(","), strict=True)
                 for c, n in zip(t, a.shape, strict=False) if n != 1 and "." not in t}  # fmt: skip
        terms = subscripts.replace(" ", "").split("->")[0].split(",")
        wide = [a if "." in t else np.broadcast_to(a, [sizes.get(c, 1) for c in t])
                for a, t in zip(arrays, terms, strict=True)]  # fmt: skip
        return np.einsum(subscripts, *wide)

    check_op(
        lambda *t: lm.ops.einsum(subscripts, *t), values(*shapes), reference, batch_axis=None, layouts=len(shapes) < 3
    )


def test_rows_alone():
    a, b = values((9, 30, 8), (8, 17))
    check_rows_alone(lambda a, b: lm.ops.einsum("bij,jk->bik", a, b), [a, b])
    a, b = values((5, 30, 8), (5, 8, 17))
    check_rows_alone(lambda a, b: lm.ops.einsum("bij,bjk->bki", a, b), [a, b], batched=(0, 1))


def test_integers():
    assert lm.ops.einsum("ij,j->i", [[1, 2], [3, 4]], [1, -1]).numpy().tolist() == [-1, -1]
    assert lm.ops.einsum("i,i", [1, 2], lm.tensor([0.5, 0.5])).item() == 1.5
    assert lm.ops.tensordot([1, 2], [3, 4], 1).item() == 11


@pytest.mark.parametrize(
    ("subscripts", "shapes", "text"),
    [
        ("ij,jk", [(3, 4)], "names 2 operands, got 1"),
        ("ij->ij", [(3,)], r"'ij' does not name the axes of shape \(3,\)"),
        ("i", [(3, 4)], r"'i' does not name the axes of shape \(3, 4\)"),
        ("i1", [(3, 4)], "expected letters"),
        ("i->j", [(3,)], "the result must name axes of the operands, each once"),
        ("i->ii", [(3,)], "the result must name axes of the operands, each once"),
        ("ij,jk", [(3, 4), (5, 6)], "axis 'j' has sizes 4 and 5"),
        ("...i,...i", [(3, 4), (2, 4)], r"the axes of '\.\.\.' has sizes 3 and 2"),
        ("ii", [(3, 1)], "axes 'i' of one operand must have one size"),
    ],
)
def test_errors(subscripts, shapes, text):
    with pytest.raises(ValueError, match=f"einsum: .*{text}"):
        lm.ops.einsum(subscripts, *values(*shapes))


def test_wrong_types():
    with pytest.raises(TypeError, match="einsum: subscripts must be a string, got ndarray"):
        lm.ops.einsum(np.zeros(3), "i")
    with pytest.raises(ValueError, match="einsum: expected at least one operand"):
        lm.ops.einsum("i")
    with pytest.raises(TypeError, match="einsum: a and b must have one dtype"):
        lm.ops.einsum("i,i", np.zeros(3, np.float32), np.zeros(3, np.float64))


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((3, 4), (4, 5), 1),
        ((3, 4, 5), (4, 5, 2), 2),
        ((3, 4), (5,), 0),
        ((3, 4, 5), (5, 3), ([2, 0], [0, 1])),
        ((3, 4), (2, 3), (0, 1)),
        ((3, 4), (3, 4), ([-2, -1], [0, 1])),
    ],
)
def test_tensordot(a, b, axes):
    check_op(
        lambda a, b: lm.ops.tensordot(a, b, axes), values(a, b), lambda a, b: np.tensordot(a, b, axes), batch_axis=None
    )


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("dot", (3, 4), (4, 5)),
        ("dot", (4,), (4,)),
        ("dot", (2, 3, 4), (4,)),
        ("dot", (2, 3, 4), (5, 4, 2)),
        ("dot", (), (3,)),
        ("inner", (3, 4), (5, 4)),
        ("inner", (4,), (4,)),
        ("inner", (3,), ()),
        ("outer", (3,), (4,)),
        ("outer", (3, 2), (4,)),
        ("vdot", (3, 4), (3, 4)),
        ("cross", (5, 3), (5, 3)),
        ("cross", (5, 3), (3,)),
        ("cross", (2, 1, 3), (4, 3)),
    ],
)
def test_products(name, a, b):
    check_op(getattr(lm.ops, name), values(a, b), getattr(np, name), batch_axis=None)


def test_errors_of_products():
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match="tensordot: axes must be from 0 to 2, got 3"):
        lm.ops.tensordot(x, x, 3)
    with pytest.raises(ValueError, match=r"tensordot: axes \[1\] of shape \(2, 3\) do not fit axes \[0\]"):
        lm.ops.tensordot(x, x, 1)
    with pytest.raises(ValueError, match="tensordot: axis 5 is out of range"):
        lm.ops.tensordot(x, x, ([5], [0]))
    for name in ("dot", "vdot"):
        with pytest.raises(ValueError, match=f"{name}: shapes .* do not fit"):
            getattr(lm.ops, name)(x, np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"inner: shapes .* do not fit: 3 and 4 differ"):
        lm.ops.inner(x, np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"cross: a and b must have shape \(\.\.\., 3\)"):
        lm.ops.cross(np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="cross: shapes"):
        lm.ops.cross(np.zeros((2, 3)), np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (([0, 0], [1, 1]), r"tensordot: axes must name none twice, got \(\[0, 0\], \[1, 1\]\)"),
        (([0, 1], [1, 1]), "tensordot: axes must name none twice"),
        ((0, 1, 2), r"tensordot: axes must be an integer or a pair \(axes of a, axes of b\), got \(0, 1, 2\)"),
        (0.5, "tensordot: axes must be an integer or a pair"),
    ],
)
def test_axes_refused(axes, message):
    with pytest.raises(ValueError, match=message):
        lm.ops.tensordot(np.ones((3, 4)), np.ones((5, 3)), axes)


def test_numbers_take_the_dtype_of_the_others():
    assert lm.ops.einsum(",ij->i", 2.0, np.ones((2, 3))).dtype == np.float64
