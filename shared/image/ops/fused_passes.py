"""Passes of the fused filtered leaky ReLU over a strip, a vector wide, or over a row: what `fused_kernels` puts together.

Both filters are symmetric, so half of their products suffice. Phases f and up - 1 - f of the raised signal have the same
taps in opposite order: with s_k = x_k + x_(5-k), d_k = x_k - x_(5-k) one is P + Q and the other P - Q, where
P = sum_k p_k s_k, Q = sum_k q_k d_k, k = 0..2. The second filter weights sums of pairs, sum_j t_j (v_j + v_(11-j)), j = 0..5.
Processors add beside they multiply; and what a strip needs of the last rows stays in registers.

Offsets are unsigned: a signed index may be negative, which costs a test for every number. A tuple's numbers are vectors.
"""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numba import njit, types

from shared.image.ops import vectors
from shared.image.ops.vectors import (
    LANES,
    add,
    add_product,
    larger,
    load,
    magnitude,
    part_of_its_caller,
    product,
    smaller,
    spread,
    store,
    subtract,
    wide_vectors,
)

Loop = Callable[..., Any]

_OF_THESE = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (__file__, vectors.__file__))).hexdigest()[:12]


def compiled(*signature: types.Type) -> Callable[[Loop], Loop]:
    """Machine code kept on disk, made when the module is imported where a signature is given; called without the GIL.

    Numba notices that a function's file has changed, not that this one or `vectors` has, on which all others build: what is
    kept bears their hash in its name.
    """

    def compile_(loop: Loop) -> Loop:
        options: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "nogil": True}
        plain: Any = inspect.unwrap(loop)
        plain.__qualname__ = f"{plain.__name__}-{_OF_THESE}"
        arguments = (types.void(*signature),) if signature else ()
        machine_code: Any
        try:
            machine_code = njit(*arguments, cache=True, **options)(plain)  # type: ignore[call-overload]
        except RuntimeError:  # no folder to keep it in, as with a read-only installation: compiled at every start
            machine_code = njit(*arguments, **options)(plain)
        return cast(Loop, machine_code)

    return compile_


@compiled()
def _three(table, row):  # type: ignore[no-untyped-def]
    """The numbers of a row, each in all lanes of a vector."""
    return spread(table[row, 0]), spread(table[row, 1]), spread(table[row, 2])


@compiled()
def _folded(x0, x1, x2, x3, x4, x5):  # type: ignore[no-untyped-def]
    """s_0, s_1, s_2, d_0, d_1, d_2."""
    return add(x0, x5), add(x1, x4), add(x2, x3), subtract(x0, x5), subtract(x1, x4), subtract(x2, x3)


@compiled()
def _mirrored(x, p, q):  # type: ignore[no-untyped-def]
    """P + Q, P - Q: a phase and its mirror image."""
    even = add_product(add_product(product(x[0], p[0]), x[1], p[1]), x[2], p[2])
    odd = add_product(add_product(product(x[3], q[0]), x[4], q[1]), x[5], q[2])
    return add(even, odd), subtract(even, odd)


@compiled()
def _bent(a, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """Leaky ReLU over (1 + slope) / 2, which is a + leak |a|, leak = (1 - slope) / (1 + slope); then a clamp where there is one."""
    a = add_product(a, magnitude(a), leak)
    if clamped:
        a = smaller(spread(clamp), larger(spread(-clamp), a))  # in this order NaN stays NaN
    return a


@compiled()
def _lower(s, out, to_next, v, taps):  # type: ignore[no-untyped-def]
    """sum_j t_j (v_j + v_(11-j)) to `out` for each row t of taps, `to_next` apart."""
    part_of_its_caller()
    a, b, c = add(v[0], v[11]), add(v[1], v[10]), add(v[2], v[9])
    d, e, f = add(v[3], v[8]), add(v[4], v[7]), add(v[5], v[6])
    store(s, out, _weighted(a, b, c, d, e, f, taps, 0))
    for term in range(1, len(taps)):
        out += to_next
        store(s, out, _weighted(a, b, c, d, e, f, taps, term))


@compiled()
def _weighted(a, b, c, d, e, f, taps, term):  # type: ignore[no-untyped-def]
    """The sum of six vectors, each times a tap of the row `term`."""
    first = add_product(product(a, spread(taps[term, 0])), b, spread(taps[term, 1]))
    last = add_product(product(d, spread(taps[term, 3])), e, spread(taps[term, 4]))
    return add(add_product(first, c, spread(taps[term, 2])), add_product(last, f, spread(taps[term, 5])))


@compiled()
def _columns(s, at, by):  # type: ignore[no-untyped-def]
    """Six columns, `by` apart, folded."""
    x0, x1 = load(s, at), load(s, at + by)
    at += by + by
    x2, x3 = load(s, at), load(s, at + by)
    at += by + by
    return _folded(x0, x1, x2, x3, load(s, at), load(s, at + by))


@compiled()
def raise_along_x(s, out, z, row, shift, rows, sums, differences):  # type: ignore[no-untyped-def]
    """A strip in all its phases, 2 or 4: out[f, r] = sum_k taps[f, k] z[r row + k shift], for r < rows.

    sums, differences (phases / 2, 3): p and q of phases 0 .. phases / 2 - 1.
    """
    wide_vectors()
    o, at, step, by, phase = np.uintp(out), np.uintp(z), np.uintp(row), np.uintp(shift), np.uintp(rows * LANES)
    p, q = _three(sums, 0), _three(differences, 0)
    if len(sums) == 1:
        for _ in range(rows):
            a, b = _mirrored(_columns(s, at, by), p, q)
            store(s, o, a)
            store(s, o + phase, b)
            at += step
            o += np.uintp(LANES)
        return
    inner_p, inner_q = _three(sums, 1), _three(differences, 1)
    for _ in range(rows):
        x = _columns(s, at, by)
        a, d = _mirrored(x, p, q)
        b, c = _mirrored(x, inner_p, inner_q)
        store(s, o, a)
        store(s, o + phase, b)
        store(s, o + phase * np.uintp(2), c)
        store(s, o + phase * np.uintp(3), d)
        at += step
        o += np.uintp(LANES)


@compiled()
def _five(s, at):  # type: ignore[no-untyped-def]
    """The first five rows of a strip."""
    one = np.uintp(LANES)
    first = load(s, at), load(s, at + one), load(s, at + one + one)
    at += one * np.uintp(3)
    return first[0], first[1], first[2], load(s, at), load(s, at + one)


@compiled()
def _two(x, p, q, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """The two rows raised by 2 and bent that six rows give."""
    a, b = _mirrored(_folded(x[0], x[1], x[2], x[3], x[4], x[5]), p, q)
    return _bent(a, leak, clamped, clamp), _bent(b, leak, clamped, clamp)


@compiled()
def _four(x, outer, inner, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """The four rows raised by 4 and bent that six rows give."""
    folded = _folded(x[0], x[1], x[2], x[3], x[4], x[5])
    a, d = _mirrored(folded, outer[0], outer[1])
    b, c = _mirrored(folded, inner[0], inner[1])
    return (
        _bent(a, leak, clamped, clamp),
        _bent(b, leak, clamped, clamp),
        _bent(c, leak, clamped, clamp),
        _bent(d, leak, clamped, clamp),
    )


# Below, what is x1 in one step is x0 in the next: processors only rename registers for that. Steps written out in a row, so that
# no name changes, were slower.


@compiled()
def pass_along_y_2(s, out, row, to_next, u, rows, sums, differences, taps, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """A strip raised by 2 along y, bent, lowered: `rows` rows out[m row], each from u[m] .. m + 10."""
    wide_vectors()
    p, q, leak, next_ = _three(sums, 0), _three(differences, 0), spread(leak), np.uintp(to_next)
    o, at, step, one = np.uintp(out), np.uintp(u), np.uintp(row), np.uintp(LANES)
    x0, x1, x2, x3, x4 = _five(s, at)
    at += one * np.uintp(5)
    v2 = v3 = v4 = v5 = v6 = v7 = v8 = v9 = v10 = v11 = x0
    for _ in range(5):
        x5 = load(s, at)
        v2, v3, v4, v5, v6, v7, v8, v9 = v4, v5, v6, v7, v8, v9, v10, v11
        v10, v11 = _two((x0, x1, x2, x3, x4, x5), p, q, leak, clamped, clamp)
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        at += one
    for _ in range(rows):
        x5 = load(s, at)
        v0, v1 = _two((x0, x1, x2, x3, x4, x5), p, q, leak, clamped, clamp)
        _lower(s, o, next_, (v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v0, v1), taps)
        v2, v3, v4, v5, v6, v7, v8, v9, v10, v11 = v4, v5, v6, v7, v8, v9, v10, v11, v0, v1
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        o += step
        at += one


@compiled()
def pass_along_y_4(s, out, row, to_next, u, pairs, sums, differences, taps, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """A strip raised by 4 along y, bent, lowered: 2 `pairs` rows out[m row], rows 2 i and 2 i + 1 from u[i] .. i + 8.

    Row m takes the raised rows 2 m + 1 .. 2 m + 12.
    """
    wide_vectors()
    outer = _three(sums, 0), _three(differences, 0)
    inner = _three(sums, 1), _three(differences, 1)
    leak, next_ = spread(leak), np.uintp(to_next)
    o, at, step, one = np.uintp(out), np.uintp(u), np.uintp(row), np.uintp(LANES)
    two_steps = step + step
    x0, x1, x2, x3, x4 = _five(s, at)
    at += one * np.uintp(5)
    v1 = v2 = v3 = v4 = v5 = v6 = v7 = v8 = v9 = v10 = v11 = x0
    for _ in range(3):
        x5 = load(s, at)
        v1, v2, v3, v4, v5, v6, v7 = v5, v6, v7, v8, v9, v10, v11
        v8, v9, v10, v11 = _four((x0, x1, x2, x3, x4, x5), outer, inner, leak, clamped, clamp)
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        at += one
    for _ in range(pairs):
        x5 = load(s, at)
        a, b, c, d = _four((x0, x1, x2, x3, x4, x5), outer, inner, leak, clamped, clamp)
        _lower(s, o, next_, (v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, a), taps)
        _lower(s, o + step, next_, (v3, v4, v5, v6, v7, v8, v9, v10, v11, a, b, c), taps)
        v1, v2, v3, v4, v5, v6, v7 = v5, v6, v7, v8, v9, v10, v11
        v8, v9, v10, v11 = a, b, c, d
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        o += two_steps
        at += one


@compiled()
def lower_along_x_1(s, out, lowered, to_term, places, strips, taps):  # type: ignore[no-untyped-def]
    """A row: out[i] = sum_j taps[term, j] (v[places[j] + i] + v[places[11 - j] + i]), summed over the terms, `to_term` apart."""
    wide_vectors()
    p, q = (places[0], places[1], places[2], places[3]), (places[4], places[5], places[6], places[7])
    r = places[8], places[9], places[10], places[11]
    o, at = np.uintp(out), np.uintp(lowered)
    for _ in range(strips):
        total = _twelve(s, at, p, q, r, taps, 0)
        for term in range(1, len(taps)):
            total = add(total, _twelve(s, at + np.uintp(term * to_term), p, q, r, taps, term))
        store(s, o, total)
        o += np.uintp(LANES)
        at += np.uintp(LANES)


@compiled()
def _twelve(s, at, p, q, r, taps, term):  # type: ignore[no-untyped-def]
    """sum_j taps[term, j] (s[at + place j] + s[at + place 11 - j])."""
    a, b = add(load(s, at + p[0]), load(s, at + r[3])), add(load(s, at + p[1]), load(s, at + r[2]))
    c, d = add(load(s, at + p[2]), load(s, at + r[1])), add(load(s, at + p[3]), load(s, at + r[0]))
    e, f = add(load(s, at + q[0]), load(s, at + q[3])), add(load(s, at + q[1]), load(s, at + q[2]))
    return _weighted(a, b, c, d, e, f, taps, term)


@compiled()
def lower_along_x_2(s, out, out2, lowered, to_term, places, strips, taps):  # type: ignore[no-untyped-def]
    """Two rows: out as by `lower_along_x_1`, out2 the same of places[2 ..]: they share most of what they sum."""
    wide_vectors()
    p, q = (places[0], places[1], places[2], places[3]), (places[4], places[5], places[6], places[7])
    r, t = (places[8], places[9], places[10], places[11]), (places[12], places[13])
    o, o2, at = np.uintp(out), np.uintp(out2), np.uintp(lowered)
    for _ in range(strips):
        total, total2 = _fourteen(s, at, p, q, r, t, taps, 0)
        for term in range(1, len(taps)):
            more, more2 = _fourteen(s, at + np.uintp(term * to_term), p, q, r, t, taps, term)
            total, total2 = add(total, more), add(total2, more2)
        store(s, o, total)
        store(s, o2, total2)
        o += np.uintp(LANES)
        o2 += np.uintp(LANES)
        at += np.uintp(LANES)


@compiled()
def _fourteen(s, at, p, q, r, t, taps, term):  # type: ignore[no-untyped-def]
    """As `_twelve`, and the same two places on."""
    v2, v3, v4, v5 = load(s, at + p[2]), load(s, at + p[3]), load(s, at + q[0]), load(s, at + q[1])
    v6, v7, v8, v9 = load(s, at + q[2]), load(s, at + q[3]), load(s, at + r[0]), load(s, at + r[1])
    v10, v11 = load(s, at + r[2]), load(s, at + r[3])
    a, b = add(load(s, at + p[0]), v11), add(load(s, at + p[1]), v10)
    first = _weighted(a, b, add(v2, v9), add(v3, v8), add(v4, v7), add(v5, v6), taps, term)
    a, b = add(v2, load(s, at + t[1])), add(v3, load(s, at + t[0]))
    return first, _weighted(a, b, add(v4, v11), add(v5, v10), add(v6, v9), add(v7, v8), taps, term)
