"""The passes of the fused filtered leaky ReLU that `fused_kernels` combines: over a strip one vector wide, or along a row.

Both filters are symmetric, so half of the products suffice. Phases f and up - 1 - f of the upsampled signal have the same
taps in opposite order: with s_k = x_k + x_(5-k) and d_k = x_k - x_(5-k), one phase is P + Q and the other P - Q, where
P = sum_k p_k s_k, Q = sum_k q_k d_k, k = 0..2. The second filter weights pairs, sum_j t_j (v_j + v_(11-j)), j = 0..5.
Processors add and multiply at the same time, and a strip keeps the rows that it still needs in registers.

Offsets are unsigned: numba tests every signed index for negative values. The elements of a tuple are vectors.
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
    absolute,
    add,
    always_inline,
    broadcast,
    fma,
    load,
    maximum,
    minimum,
    multiply,
    prefer_wide_vectors,
    store,
    subtract,
)

Loop = Callable[..., Any]

_SOURCE_HASH = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (__file__, vectors.__file__))).hexdigest()[
    :12
]


def compiled(*signature: types.Type) -> Callable[[Loop], Loop]:
    """Compile a function and cache it on disk; with a signature, at import. It runs without the GIL.

    Numba's cache notices a change in the function's own file only, so the cached name carries a hash of this file and of
    `vectors`, which all functions depend on.
    """

    def compile_(loop: Loop) -> Loop:
        options: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "nogil": True}
        plain: Any = inspect.unwrap(loop)
        plain.__qualname__ = f"{plain.__name__}-{_SOURCE_HASH}"
        arguments = (types.void(*signature),) if signature else ()
        machine_code: Any
        try:
            machine_code = njit(*arguments, cache=True, **options)(plain)  # type: ignore[call-overload]
        except RuntimeError:  # no writable folder for the cache, as in a read-only installation: compile at every start
            machine_code = njit(*arguments, **options)(plain)
        return cast(Loop, machine_code)

    return compile_


@compiled()
def _broadcast_taps(table, row):  # type: ignore[no-untyped-def]
    """The three taps of a row, each in every lane of a vector."""
    return broadcast(table[row, 0]), broadcast(table[row, 1]), broadcast(table[row, 2])


@compiled()
def _fold(x0, x1, x2, x3, x4, x5):  # type: ignore[no-untyped-def]
    """s_0, s_1, s_2, d_0, d_1, d_2."""
    return add(x0, x5), add(x1, x4), add(x2, x3), subtract(x0, x5), subtract(x1, x4), subtract(x2, x3)


@compiled()
def _phase_pair(x, p, q):  # type: ignore[no-untyped-def]
    """P + Q and P - Q: a phase and its mirror image."""
    even = fma(x[2], p[2], fma(x[1], p[1], multiply(x[0], p[0])))
    odd = fma(x[5], q[2], fma(x[4], q[1], multiply(x[3], q[0])))
    return add(even, odd), subtract(even, odd)


@compiled()
def _activate(a, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """Leaky ReLU divided by (1 + slope) / 2, that is a + leak |a| with leak = (1 - slope) / (1 + slope), then an optional clamp."""
    a = fma(absolute(a), leak, a)
    if clamped:
        a = minimum(broadcast(clamp), maximum(broadcast(-clamp), a))  # this order keeps NaN
    return a


@compiled()
def _downsample(s, out, to_next, v, taps):  # type: ignore[no-untyped-def]
    """Store sum_j t_j (v_j + v_(11-j)) at `out` for each row t of taps, `to_next` apart."""
    always_inline()
    a, b, c = add(v[0], v[11]), add(v[1], v[10]), add(v[2], v[9])
    d, e, f = add(v[3], v[8]), add(v[4], v[7]), add(v[5], v[6])
    store(s, out, _weighted_sum(a, b, c, d, e, f, taps, 0))
    for term in range(1, len(taps)):
        out += to_next
        store(s, out, _weighted_sum(a, b, c, d, e, f, taps, term))


@compiled()
def _weighted_sum(a, b, c, d, e, f, taps, term):  # type: ignore[no-untyped-def]
    """The sum of six vectors, weighted by the taps of row `term`."""
    first = fma(b, broadcast(taps[term, 1]), multiply(a, broadcast(taps[term, 0])))
    last = fma(e, broadcast(taps[term, 4]), multiply(d, broadcast(taps[term, 3])))
    return add(fma(c, broadcast(taps[term, 2]), first), fma(f, broadcast(taps[term, 5]), last))


@compiled()
def _fold_columns(s, at, by):  # type: ignore[no-untyped-def]
    """Six columns, `by` apart, as `_fold` gives them."""
    x0, x1 = load(s, at), load(s, at + by)
    at += by + by
    x2, x3 = load(s, at), load(s, at + by)
    at += by + by
    return _fold(x0, x1, x2, x3, load(s, at), load(s, at + by))


@compiled()
def upsample_x(s, out, z, row, shift, rows, sums, differences):  # type: ignore[no-untyped-def]
    """Upsample a strip by 2 or 4 along x: out[f, r] = sum_k taps[f, k] z[r row + k shift], for r < rows.

    sums, differences (phases / 2, 3): p and q of phases 0 .. phases / 2 - 1.
    """
    prefer_wide_vectors()
    o, at, step, by, phase = np.uintp(out), np.uintp(z), np.uintp(row), np.uintp(shift), np.uintp(rows * LANES)
    p, q = _broadcast_taps(sums, 0), _broadcast_taps(differences, 0)
    if len(sums) == 1:
        for _ in range(rows):
            a, b = _phase_pair(_fold_columns(s, at, by), p, q)
            store(s, o, a)
            store(s, o + phase, b)
            at += step
            o += np.uintp(LANES)
        return
    inner_p, inner_q = _broadcast_taps(sums, 1), _broadcast_taps(differences, 1)
    for _ in range(rows):
        x = _fold_columns(s, at, by)
        a, d = _phase_pair(x, p, q)
        b, c = _phase_pair(x, inner_p, inner_q)
        store(s, o, a)
        store(s, o + phase, b)
        store(s, o + phase * np.uintp(2), c)
        store(s, o + phase * np.uintp(3), d)
        at += step
        o += np.uintp(LANES)


@compiled()
def _first_rows(s, at):  # type: ignore[no-untyped-def]
    """The first five rows of a strip."""
    one = np.uintp(LANES)
    first = load(s, at), load(s, at + one), load(s, at + one + one)
    at += one * np.uintp(3)
    return first[0], first[1], first[2], load(s, at), load(s, at + one)


@compiled()
def _upsample_2(x, p, q, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """The two upsampled and activated rows that follow from six rows."""
    a, b = _phase_pair(_fold(x[0], x[1], x[2], x[3], x[4], x[5]), p, q)
    return _activate(a, leak, clamped, clamp), _activate(b, leak, clamped, clamp)


@compiled()
def _upsample_4(x, outer, inner, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """The four upsampled and activated rows that follow from six rows."""
    folded = _fold(x[0], x[1], x[2], x[3], x[4], x[5])
    a, d = _phase_pair(folded, outer[0], outer[1])
    b, c = _phase_pair(folded, inner[0], inner[1])
    return (
        _activate(a, leak, clamped, clamp),
        _activate(b, leak, clamped, clamp),
        _activate(c, leak, clamped, clamp),
        _activate(d, leak, clamped, clamp),
    )


# Below, x1 becomes x0 in the next step: processors only rename registers for that. Unrolling the steps so that no name changes
# was slower.


@compiled()
def resample_y_2(s, out, row, to_next, u, rows, sums, differences, taps, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """Upsample a strip by 2 along y, activate, downsample: `rows` rows out[m row], each from u[m] .. u[m + 10]."""
    prefer_wide_vectors()
    p, q, leak, next_ = _broadcast_taps(sums, 0), _broadcast_taps(differences, 0), broadcast(leak), np.uintp(to_next)
    o, at, step, one = np.uintp(out), np.uintp(u), np.uintp(row), np.uintp(LANES)
    x0, x1, x2, x3, x4 = _first_rows(s, at)
    at += one * np.uintp(5)
    v2 = v3 = v4 = v5 = v6 = v7 = v8 = v9 = v10 = v11 = x0
    for _ in range(5):
        x5 = load(s, at)
        v2, v3, v4, v5, v6, v7, v8, v9 = v4, v5, v6, v7, v8, v9, v10, v11
        v10, v11 = _upsample_2((x0, x1, x2, x3, x4, x5), p, q, leak, clamped, clamp)
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        at += one
    for _ in range(rows):
        x5 = load(s, at)
        v0, v1 = _upsample_2((x0, x1, x2, x3, x4, x5), p, q, leak, clamped, clamp)
        _downsample(s, o, next_, (v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v0, v1), taps)
        v2, v3, v4, v5, v6, v7, v8, v9, v10, v11 = v4, v5, v6, v7, v8, v9, v10, v11, v0, v1
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        o += step
        at += one


@compiled()
def resample_y_4(s, out, row, to_next, u, pairs, sums, differences, taps, leak, clamped, clamp):  # type: ignore[no-untyped-def]
    """Upsample a strip by 4 along y, activate, downsample: 2 `pairs` rows out[m row], rows 2 i and 2 i + 1 from u[i] .. u[i + 8].

    Row m takes the upsampled rows 2 m + 1 .. 2 m + 12.
    """
    prefer_wide_vectors()
    outer = _broadcast_taps(sums, 0), _broadcast_taps(differences, 0)
    inner = _broadcast_taps(sums, 1), _broadcast_taps(differences, 1)
    leak, next_ = broadcast(leak), np.uintp(to_next)
    o, at, step, one = np.uintp(out), np.uintp(u), np.uintp(row), np.uintp(LANES)
    two_steps = step + step
    x0, x1, x2, x3, x4 = _first_rows(s, at)
    at += one * np.uintp(5)
    v1 = v2 = v3 = v4 = v5 = v6 = v7 = v8 = v9 = v10 = v11 = x0
    for _ in range(3):
        x5 = load(s, at)
        v1, v2, v3, v4, v5, v6, v7 = v5, v6, v7, v8, v9, v10, v11
        v8, v9, v10, v11 = _upsample_4((x0, x1, x2, x3, x4, x5), outer, inner, leak, clamped, clamp)
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        at += one
    for _ in range(pairs):
        x5 = load(s, at)
        a, b, c, d = _upsample_4((x0, x1, x2, x3, x4, x5), outer, inner, leak, clamped, clamp)
        _downsample(s, o, next_, (v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, a), taps)
        _downsample(s, o + step, next_, (v3, v4, v5, v6, v7, v8, v9, v10, v11, a, b, c), taps)
        v1, v2, v3, v4, v5, v6, v7 = v5, v6, v7, v8, v9, v10, v11
        v8, v9, v10, v11 = a, b, c, d
        x0, x1, x2, x3, x4 = x1, x2, x3, x4, x5
        o += two_steps
        at += one


@compiled()
def downsample_x(s, out, filtered, to_term, places, strips, taps):  # type: ignore[no-untyped-def]
    """Downsample a row: out[i] = sum_j taps[term, j] (v[places[j] + i] + v[places[11 - j] + i]), summed over the terms, `to_term` apart."""
    prefer_wide_vectors()
    p, q = (places[0], places[1], places[2], places[3]), (places[4], places[5], places[6], places[7])
    r = places[8], places[9], places[10], places[11]
    o, at = np.uintp(out), np.uintp(filtered)
    for _ in range(strips):
        total = _filter_12(s, at, p, q, r, taps, 0)
        for term in range(1, len(taps)):
            total = add(total, _filter_12(s, at + np.uintp(term * to_term), p, q, r, taps, term))
        store(s, o, total)
        o += np.uintp(LANES)
        at += np.uintp(LANES)


@compiled()
def _filter_12(s, at, p, q, r, taps, term):  # type: ignore[no-untyped-def]
    """sum_j taps[term, j] (s[at + place j] + s[at + place 11 - j])."""
    a, b = add(load(s, at + p[0]), load(s, at + r[3])), add(load(s, at + p[1]), load(s, at + r[2]))
    c, d = add(load(s, at + p[2]), load(s, at + r[1])), add(load(s, at + p[3]), load(s, at + r[0]))
    e, f = add(load(s, at + q[0]), load(s, at + q[3])), add(load(s, at + q[1]), load(s, at + q[2]))
    return _weighted_sum(a, b, c, d, e, f, taps, term)


@compiled()
def downsample_x_pair(s, out, out2, filtered, to_term, places, strips, taps):  # type: ignore[no-untyped-def]
    """Two phases of a row at once: out as in `downsample_x`, out2 from places[2 ..]. They share most of their samples."""
    prefer_wide_vectors()
    p, q = (places[0], places[1], places[2], places[3]), (places[4], places[5], places[6], places[7])
    r, t = (places[8], places[9], places[10], places[11]), (places[12], places[13])
    o, o2, at = np.uintp(out), np.uintp(out2), np.uintp(filtered)
    for _ in range(strips):
        total, total2 = _filter_12_pair(s, at, p, q, r, t, taps, 0)
        for term in range(1, len(taps)):
            more, more2 = _filter_12_pair(s, at + np.uintp(term * to_term), p, q, r, t, taps, term)
            total, total2 = add(total, more), add(total2, more2)
        store(s, o, total)
        store(s, o2, total2)
        o += np.uintp(LANES)
        o2 += np.uintp(LANES)
        at += np.uintp(LANES)


@compiled()
def _filter_12_pair(s, at, p, q, r, t, taps, term):  # type: ignore[no-untyped-def]
    """`_filter_12` at a place, and two places further on."""
    v2, v3, v4, v5 = load(s, at + p[2]), load(s, at + p[3]), load(s, at + q[0]), load(s, at + q[1])
    v6, v7, v8, v9 = load(s, at + q[2]), load(s, at + q[3]), load(s, at + r[0]), load(s, at + r[1])
    v10, v11 = load(s, at + r[2]), load(s, at + r[3])
    a, b = add(load(s, at + p[0]), v11), add(load(s, at + p[1]), v10)
    first = _weighted_sum(a, b, add(v2, v9), add(v3, v8), add(v4, v7), add(v5, v6), taps, term)
    a, b = add(v2, load(s, at + t[1])), add(v3, load(s, at + t[0]))
    return first, _weighted_sum(a, b, add(v4, v11), add(v5, v10), add(v6, v9), add(v7, v8), taps, term)
