"""Loops of the fused filtered leaky ReLU, compiled by numba for the processor at hand. `fused_filtered_lrelu` calls them.

A map is stored with its channels last, so a row of G channels and X columns is one run of X G numbers: a shift by a
column is a shift by G, and every loop below is a plain loop over a row, which the compiler turns into vector code.
Signals at the raised rate are kept as `up` phases: column a of phase f is sample up a + f.

Rows travel through rings that fit the nearest caches: an input row is read once and raised along x (`raised_rows`, 8), two
rows of it raised along y and bent (`bent_rows`, 16), and from those two output rows lowered along y, then along x.
"""

import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

Loop = Callable[..., Any]

HALF_TAPS = 6  # taps of a phase of the first filter; the second has twice as many, at twice the output's rate
RAISED_ROWS = 8
BENT_ROWS = 16
LANES = 16  # of float32 in a vector of 512 bits
FLOATS = types.Array(types.float32, 1, "C")
TABLE = types.Array(types.float32, 2, "C")
HALVES = types.Array(types.uint16, 1, "C")
PLAN = types.Array(types.int64, 1, "C")
PATIENCE_S = 5.0  # kernels that are kept on disk load within it
_FLAGS = {"contract", "nsz", "reassoc", "nnan"}


def _compiled(*signature: types.Type) -> Callable[[Loop], Loop]:
    """Machine code kept on disk, made when the module is imported where a signature is given; called without the GIL."""

    def compile_(loop: Loop) -> Loop:
        options: dict[str, Any] = {"fastmath": _FLAGS, "error_model": "numpy", "boundscheck": False, "nogil": True}
        plain: Any = inspect.unwrap(loop)
        arguments = (types.void(*signature),) if signature else ()
        machine_code: Any
        try:
            machine_code = njit(*arguments, cache=True, **options)(plain)  # type: ignore[call-overload]
        except RuntimeError:  # no folder to keep it in, as with a read-only installation: compiled at every start
            machine_code = njit(*arguments, **options)(plain)
        return cast(Loop, machine_code)

    return compile_


def _mark_wide_vectors(typing: Any) -> Any:
    """In a function: let the compiler use vectors of 512 bits where the processor is of the generations that gain by it.

    It is wary of them by default, as the first processors that had them lowered their clock. The mark is one of LLVM's
    for functions; numba has no word for it.
    """
    has_gain = binding.get_host_cpu_features().get("avx512bf16", False)

    def mark(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if has_gain:
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), mark


_wide_vectors: Any = intrinsic(_mark_wide_vectors)


# Offsets are unsigned from here on: a signed index may be negative, which costs a test for every number.


@_compiled()
def _along(out, out_at, out2_at, x, x_at, shift, count, taps, phase):  # type: ignore[no-untyped-def]
    """Two phases raised along x: out[i] = sum_k taps[phase, k] x[i + k shift], out2 the same with the next phase."""
    _wide_vectors()
    a0, a1, a2, a3, a4, a5 = (
        taps[phase, 0],
        taps[phase, 1],
        taps[phase, 2],
        taps[phase, 3],
        taps[phase, 4],
        taps[phase, 5],
    )
    phase += 1
    b0, b1, b2, b3, b4, b5 = (
        taps[phase, 0],
        taps[phase, 1],
        taps[phase, 2],
        taps[phase, 3],
        taps[phase, 4],
        taps[phase, 5],
    )
    o, o2, j, s = np.uintp(out_at), np.uintp(out2_at), np.uintp(x_at), np.uintp(shift)
    j1 = j + s
    j2 = j1 + s
    j3 = j2 + s
    j4 = j3 + s
    j5 = j4 + s
    for i in range(np.uintp(count)):
        x0, x1, x2, x3, x4, x5 = x[j + i], x[j1 + i], x[j2 + i], x[j3 + i], x[j4 + i], x[j5 + i]
        out[o + i] = a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3 + a4 * x4 + a5 * x5
        out[o2 + i] = b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3 + b4 * x4 + b5 * x5


@_compiled()
def _bend(out, out_at, out2_at, u, first, stride, count, taps, phase, slope, clamp):  # type: ignore[no-untyped-def]
    """Two rows raised along y from rows first..first + 5 of the ring, then leaky ReLU and clamp."""
    _wide_vectors()
    a0, a1, a2, a3, a4, a5 = (
        taps[phase, 0],
        taps[phase, 1],
        taps[phase, 2],
        taps[phase, 3],
        taps[phase, 4],
        taps[phase, 5],
    )
    phase += 1
    b0, b1, b2, b3, b4, b5 = (
        taps[phase, 0],
        taps[phase, 1],
        taps[phase, 2],
        taps[phase, 3],
        taps[phase, 4],
        taps[phase, 5],
    )
    o, o2 = np.uintp(out_at), np.uintp(out2_at)
    j, j1 = np.uintp((first & 7) * stride), np.uintp(((first + 1) & 7) * stride)
    j2, j3 = np.uintp(((first + 2) & 7) * stride), np.uintp(((first + 3) & 7) * stride)
    j4, j5 = np.uintp(((first + 4) & 7) * stride), np.uintp(((first + 5) & 7) * stride)
    for i in range(np.uintp(count)):
        u0, u1, u2, u3, u4, u5 = u[j + i], u[j1 + i], u[j2 + i], u[j3 + i], u[j4 + i], u[j5 + i]
        v = a0 * u0 + a1 * u1 + a2 * u2 + a3 * u3 + a4 * u4 + a5 * u5
        w = b0 * u0 + b1 * u1 + b2 * u2 + b3 * u3 + b4 * u4 + b5 * u5
        v = max(v, v * slope)
        w = max(w, w * slope)
        out[o + i] = min(max(v, -clamp), clamp)
        out[o2 + i] = min(max(w, -clamp), clamp)


@_compiled()
def _lower(out, out_at, out2_at, v, first, stride, count, taps, term):  # type: ignore[no-untyped-def]
    """Two rows lowered along y: out from rows first..first + 11 of the ring, out2 from first + 2..first + 13."""
    _wide_vectors()
    k0, k1, k2, k3, k4, k5 = taps[term, 0], taps[term, 1], taps[term, 2], taps[term, 3], taps[term, 4], taps[term, 5]
    k6, k7, k8, k9 = taps[term, 6], taps[term, 7], taps[term, 8], taps[term, 9]
    k10, k11 = taps[term, 10], taps[term, 11]
    o, o2 = np.uintp(out_at), np.uintp(out2_at)
    r0, r1 = np.uintp((first & 15) * stride), np.uintp(((first + 1) & 15) * stride)
    r2, r3 = np.uintp(((first + 2) & 15) * stride), np.uintp(((first + 3) & 15) * stride)
    r4, r5 = np.uintp(((first + 4) & 15) * stride), np.uintp(((first + 5) & 15) * stride)
    r6, r7 = np.uintp(((first + 6) & 15) * stride), np.uintp(((first + 7) & 15) * stride)
    r8, r9 = np.uintp(((first + 8) & 15) * stride), np.uintp(((first + 9) & 15) * stride)
    r10, r11 = np.uintp(((first + 10) & 15) * stride), np.uintp(((first + 11) & 15) * stride)
    r12, r13 = np.uintp(((first + 12) & 15) * stride), np.uintp(((first + 13) & 15) * stride)
    for i in range(np.uintp(count)):
        v2, v3, v4, v5, v6 = v[r2 + i], v[r3 + i], v[r4 + i], v[r5 + i], v[r6 + i]
        v7, v8, v9, v10, v11 = v[r7 + i], v[r8 + i], v[r9 + i], v[r10 + i], v[r11 + i]
        a = k0 * v[r0 + i] + k1 * v[r1 + i] + k2 * v2 + k3 * v3 + k4 * v4 + k5 * v5
        a2 = k6 * v6 + k7 * v7 + k8 * v8 + k9 * v9 + k10 * v10 + k11 * v11
        b = k0 * v2 + k1 * v3 + k2 * v4 + k3 * v5 + k4 * v6 + k5 * v7
        b2 = k6 * v8 + k7 * v9 + k8 * v10 + k9 * v11 + k10 * v[r12 + i] + k11 * v[r13 + i]
        out[o + i] = a + a2
        out[o2 + i] = b + b2


@_compiled()
def _across(out, out_at, p, p_at, at, count, taps, term):  # type: ignore[no-untyped-def]
    """One row lowered along x: out[i] = sum_j taps[term, j] p[p_at + at[j] + i]; terms after the first are added."""
    _wide_vectors()
    k0, k1, k2, k3, k4, k5 = taps[term, 0], taps[term, 1], taps[term, 2], taps[term, 3], taps[term, 4], taps[term, 5]
    k6, k7, k8, k9 = taps[term, 6], taps[term, 7], taps[term, 8], taps[term, 9]
    k10, k11 = taps[term, 10], taps[term, 11]
    o = np.uintp(out_at)
    j0, j1, j2, j3 = np.uintp(p_at + at[0]), np.uintp(p_at + at[1]), np.uintp(p_at + at[2]), np.uintp(p_at + at[3])
    j4, j5, j6, j7 = np.uintp(p_at + at[4]), np.uintp(p_at + at[5]), np.uintp(p_at + at[6]), np.uintp(p_at + at[7])
    j8, j9, j10, j11 = np.uintp(p_at + at[8]), np.uintp(p_at + at[9]), np.uintp(p_at + at[10]), np.uintp(p_at + at[11])
    n = np.uintp(count)
    if term > 0:
        for i in range(n):
            a = k0 * p[j0 + i] + k1 * p[j1 + i] + k2 * p[j2 + i] + k3 * p[j3 + i] + k4 * p[j4 + i] + k5 * p[j5 + i]
            b = k6 * p[j6 + i] + k7 * p[j7 + i] + k8 * p[j8 + i] + k9 * p[j9 + i] + k10 * p[j10 + i] + k11 * p[j11 + i]
            out[o + i] += a + b
    else:
        for i in range(n):
            a = k0 * p[j0 + i] + k1 * p[j1 + i] + k2 * p[j2 + i] + k3 * p[j3 + i] + k4 * p[j4 + i] + k5 * p[j5 + i]
            b = k6 * p[j6 + i] + k7 * p[j7 + i] + k8 * p[j8 + i] + k9 * p[j9 + i] + k10 * p[j10 + i] + k11 * p[j11 + i]
            out[o + i] = a + b


@_compiled()
def _load(z, bits, z_at, x, x_half, x_at, columns, channels, group, scale, bias):  # type: ignore[no-untyped-def]
    """`columns` columns of `group` channels, scaled and shifted, from float32 or (where x is empty) from bfloat16."""
    _wide_vectors()
    o, at, whole = np.uintp(z_at), np.uintp(x_at), np.uintp(columns * group)
    step, width = np.uintp(channels), np.uintp(group)
    half = len(x) == 0
    if group == channels:
        if half:
            for i in range(whole):
                bits[o + i] = np.uint32(x_half[at + i]) << np.uint32(16)
        else:
            for i in range(whole):
                z[o + i] = x[at + i]
    elif group == LANES:
        for column in range(np.uintp(columns)):
            j, k = o + column * np.uintp(LANES), at + column * step
            if half:
                for i in range(np.uintp(LANES)):
                    bits[j + i] = np.uint32(x_half[k + i]) << np.uint32(16)
            else:
                for i in range(np.uintp(LANES)):
                    z[j + i] = x[k + i]
    else:
        for column in range(np.uintp(columns)):
            j, k = o + column * width, at + column * step
            for i in range(width):
                if half:
                    bits[j + i] = np.uint32(x_half[k + i]) << np.uint32(16)
                else:
                    z[j + i] = x[k + i]
    for i in range(whole):
        z[o + i] = z[o + i] * scale[i] + bias[i]


@_compiled()
def _store(y, y_half, y_at, row, bits, row_at, columns, channels, group, phases, stride, post):  # type: ignore[no-untyped-def]
    """The output's columns, in `phases` runs `stride` apart, scaled and rounded (half to even where y is bfloat16)."""
    _wide_vectors()
    at, step, width = np.uintp(y_at), np.uintp(channels), np.uintp(group)
    half = len(y) == 0
    per_phase = (columns + phases - 1) // phases
    for phase in range(phases):
        o = np.uintp(row_at + phase * stride)
        for i in range(np.uintp(per_phase * group)):
            row[o + i] *= post[i]
        if half:  # bfloat16 is the upper half of a float32
            for i in range(np.uintp(per_phase * group)):
                b = bits[o + i]
                bits[o + i] = (b + np.uint32(0x7FFF) + ((b >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    if group == channels and phases == 1:
        o = np.uintp(row_at)
        if half:
            for i in range(np.uintp(columns * group)):
                y_half[at + i] = np.uint16(bits[o + i])
        else:
            for i in range(np.uintp(columns * group)):
                y[at + i] = row[o + i]
        return
    for column in range(columns):
        o = np.uintp(row_at + (column % phases) * stride + (column // phases) * group)
        j = at + np.uintp(column) * step
        if group == LANES:
            if half:
                for i in range(np.uintp(LANES)):
                    y_half[j + i] = np.uint16(bits[o + i])
            else:
                for i in range(np.uintp(LANES)):
                    y[j + i] = row[o + i]
        elif half:
            for i in range(width):
                y_half[j + i] = np.uint16(bits[o + i])
        else:
            for i in range(width):
                y[j + i] = row[o + i]


_notice = threading.Timer(
    PATIENCE_S,
    logging.getLogger(__name__).warning,
    (
        "compiling the picture filters for this processor, about 15 s; this is done once, unless nothing can be kept on disk",
    ),
)
_notice.daemon = True
_notice.start()


@_compiled(FLOATS, HALVES, FLOATS, HALVES, FLOATS, FLOATS, FLOATS, TABLE, TABLE, TABLE, PLAN, FLOATS, FLOATS)
def filter_tile(  # type: ignore[no-untyped-def]
    x, x_half, y, y_half, scale, bias, post, up_taps, down_taps_y, down_taps_x, plan, limits, scratch
):
    """Some channels of some columns of a map, all its rows.

    x or x_half (the other is empty): the map (H, W, C), flat. y or y_half: where (OH, OW, C) go. scale, bias, post: (C,).
    up_taps (up, 6), down_taps (terms, 12). plan: see `Tile`. limits: slope, clamp. scratch: working memory, see `Tile`.
    """
    _wide_vectors()
    height, width, channels, out_height, out_width, up, shift = (
        plan[0],
        plan[1],
        plan[2],
        plan[3],
        plan[4],
        plan[5],
        plan[6],
    )
    channel, group, first, last = plan[7], plan[8], plan[9], plan[10]
    columns, stride, length = plan[11], plan[12], plan[13]
    slope, clamp = limits[0], limits[1]
    terms, phases = len(down_taps_y), up // 2
    count = -(-(-(-(last - first) // phases) * group) // LANES) * LANES
    left = (2 * first + shift) // up  # the first column of the raised signal that is needed, in columns of the map

    row_length = up * stride
    z, scratch = scratch[:length], scratch[length:]
    raised, scratch = scratch[: RAISED_ROWS * row_length], scratch[RAISED_ROWS * row_length :]
    bent, scratch = scratch[: BENT_ROWS * row_length], scratch[BENT_ROWS * row_length :]
    lowered, scratch = scratch[: 2 * row_length], scratch[2 * row_length :]
    row, scratch = scratch[: 2 * phases * stride], scratch[2 * phases * stride :]
    scales, biases, posts = scratch[:length], scratch[length : 2 * length], scratch[2 * length : 3 * length]
    z_bits, row_bits = z.view(np.uint32), row.view(np.uint32)

    z[:] = 0.0
    for i in range(columns + 5):
        for j in range(group):
            scales[i * group + j] = scale[channel + j]
            biases[i * group + j] = bias[channel + j]
            posts[i * group + j] = post[channel + j]
    at = np.empty((phases, 12), np.int64)
    for phase in range(phases):
        for j in range(12):
            place = 2 * phase + j + shift
            at[phase, j] = (place % up) * stride + (place // up - shift // up) * group
    begin, end = max(0, -left), min(columns + 5, width - left)

    made = shift - shift % 2  # rows at the raised rate, in pairs that share their six input rows
    loaded = made // up
    for m in range(0, out_height, 2):
        while made <= 2 * min(m + 1, out_height - 1) + 11 + shift:
            source = made // up
            while loaded < source + 6:
                ring = (loaded & 7) * row_length
                if loaded < 0 or loaded >= height or end <= begin:
                    raised[ring : ring + row_length] = 0.0
                else:
                    x_at = (loaded * width + left + begin) * channels + channel
                    _load(z, z_bits, begin * group, x, x_half, x_at, end - begin, channels, group, scales, biases)
                    for phase in range(0, up, 2):
                        place = ring + phase * stride
                        _along(raised, place, place + stride, z, 0, group, stride, up_taps, phase)
                loaded += 1
            even, odd = (made & 15) * row_length, ((made + 1) & 15) * row_length
            _bend(bent, even, odd, raised, source, row_length, row_length, up_taps, made % up, slope, clamp)
            made += 2
        for term in range(terms):
            _lower(lowered, 0, row_length, bent, 2 * m + shift, row_length, row_length, down_taps_y, term)
            for second in range(2):
                for phase in range(phases):
                    place = (second * phases + phase) * stride
                    _across(row, place, lowered, second * row_length, at[phase], count, down_taps_x, term)
        for second in range(min(2, out_height - m)):
            y_at = ((m + second) * out_width + first) * channels + channel
            place = second * phases * stride
            _store(y, y_half, y_at, row, row_bits, place, last - first, channels, group, phases, stride, posts)


_notice.cancel()
