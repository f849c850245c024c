"""Loops of the trainable filtered leaky ReLU, compiled by numba: upsample, bend, downsample, for a map and, backwards, for its gradient.

Both directions are the same work. F are filters of 6 a taps and G of 6 b taps, a and b even; a filter that is not separable
is a sum of separable terms k, each with taps along y and along x:

    u[p] = sum_k sum_j F_k[j] x'[p + j - before],  x'[q] = x[q / a] where a divides q, else 0;  0 <= p < P      for each axis
    v[p] = bend(u[p])          forwards: leaky ReLU and clamp, which side of them is kept; backwards: the kept slope times u
    y[m] = sum_k sum_j G_k[j] v[m b + j + offset]

A map is stored with its channels last. Signals at the higher rate are L = max(a, b) phases (position f + L i is column i of
phase f), a map that is read is L / a phases, one that is written L / b, so that every inner loop runs along a whole row.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

Loop = Callable[..., Any]

TAPS = 6
READ_ROWS = 8  # rings, powers of two: raised rows of the input, of which 6 are needed at once
BENT_ROWS = 32  # rows of v, at most: 6 b are needed at once, b at most 4
IDLE, OPEN, LEAKY = 0, 1, 2  # what the nonlinearity did: clamped, passed, multiplied by the slope


def _compiled(loop: Loop) -> Loop:
    flags = {"contract", "nsz", "reassoc", "nnan"}
    return cast(Loop, njit(cache=True, fastmath=flags, error_model="numpy", boundscheck=False, nogil=True)(loop))


def _mark_wide_vectors(typing: Any) -> Any:
    """Allow LLVM vectors of 512 bits in the calling function if the processor is faster with them; it avoids them by default."""
    has_gain = binding.get_host_cpu_features().get("avx512bf16", False)

    def mark(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if has_gain:
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), mark


_wide_vectors: Any = intrinsic(_mark_wide_vectors)


@_compiled
def _mix(out, out_at, x, places, first, taps, count, adds):  # type: ignore[no-untyped-def]
    """out[i] = sum of six taps[first + k] x[places[first + k] + i], added to what is there where `adds`."""
    _wide_vectors()
    t0, t1, t2 = taps[first], taps[first + 1], taps[first + 2]
    t3, t4, t5 = taps[first + 3], taps[first + 4], taps[first + 5]
    o = np.uintp(out_at)
    p0, p1, p2 = np.uintp(places[first]), np.uintp(places[first + 1]), np.uintp(places[first + 2])
    p3, p4, p5 = np.uintp(places[first + 3]), np.uintp(places[first + 4]), np.uintp(places[first + 5])
    n = np.uintp(count)
    if adds:
        for i in range(n):
            a = t0 * x[p0 + i] + t1 * x[p1 + i] + t2 * x[p2 + i]
            out[o + i] += a + t3 * x[p3 + i] + t4 * x[p4 + i] + t5 * x[p5 + i]
    else:
        for i in range(n):
            a = t0 * x[p0 + i] + t1 * x[p1 + i] + t2 * x[p2 + i]
            out[o + i] = a + t3 * x[p3 + i] + t4 * x[p4 + i] + t5 * x[p5 + i]


@_compiled
def _mix_twelve(out, out_at, x, places, first, taps, count, adds):  # type: ignore[no-untyped-def]
    """The same of twelve taps."""
    _wide_vectors()
    t0, t1, t2 = taps[first], taps[first + 1], taps[first + 2]
    t3, t4, t5 = taps[first + 3], taps[first + 4], taps[first + 5]
    t6, t7, t8 = taps[first + 6], taps[first + 7], taps[first + 8]
    t9, t10, t11 = taps[first + 9], taps[first + 10], taps[first + 11]
    o = np.uintp(out_at)
    p0, p1, p2 = np.uintp(places[first]), np.uintp(places[first + 1]), np.uintp(places[first + 2])
    p3, p4, p5 = np.uintp(places[first + 3]), np.uintp(places[first + 4]), np.uintp(places[first + 5])
    p6, p7, p8 = np.uintp(places[first + 6]), np.uintp(places[first + 7]), np.uintp(places[first + 8])
    p9, p10, p11 = np.uintp(places[first + 9]), np.uintp(places[first + 10]), np.uintp(places[first + 11])
    n = np.uintp(count)
    if adds:
        for i in range(n):
            a = t0 * x[p0 + i] + t1 * x[p1 + i] + t2 * x[p2 + i] + t3 * x[p3 + i] + t4 * x[p4 + i] + t5 * x[p5 + i]
            b = t6 * x[p6 + i] + t7 * x[p7 + i] + t8 * x[p8 + i] + t9 * x[p9 + i] + t10 * x[p10 + i] + t11 * x[p11 + i]
            out[o + i] += a + b
    else:
        for i in range(n):
            a = t0 * x[p0 + i] + t1 * x[p1 + i] + t2 * x[p2 + i] + t3 * x[p3 + i] + t4 * x[p4 + i] + t5 * x[p5 + i]
            b = t6 * x[p6 + i] + t7 * x[p7 + i] + t8 * x[p8 + i] + t9 * x[p9 + i] + t10 * x[p10 + i] + t11 * x[p11 + i]
            out[o + i] = a + b


@_compiled
def _gather(row, x, x_at, width, channels, phases, stride, origin):  # type: ignore[no-untyped-def]
    """A row of a map into its phases."""
    _wide_vectors()
    if phases == 1:
        o, at = np.uintp(origin), np.uintp(x_at)
        for i in range(np.uintp(width * channels)):
            row[o + i] = x[at + i]
        return
    for column in range(width):
        o = np.uintp((column % phases) * stride + origin + (column // phases) * channels)
        at = np.uintp(x_at + column * channels)
        for c in range(np.uintp(channels)):
            row[o + c] = x[at + c]


@_compiled
def _scatter(y, y_at, made, width, channels, phases, stride):  # type: ignore[no-untyped-def]
    """The phases of a row into a map."""
    _wide_vectors()
    if phases == 1:
        at = np.uintp(y_at)
        for i in range(np.uintp(width * channels)):
            y[at + i] = made[i]
        return
    for column in range(width):
        o = np.uintp((column % phases) * stride + (column // phases) * channels)
        at = np.uintp(y_at + column * channels)
        for c in range(np.uintp(channels)):
            y[at + c] = made[o + c]


@_compiled
def _bend(v, at, kept, kept_at, count, slope, clamp):  # type: ignore[no-untyped-def]
    """Leaky ReLU and clamp of a run, and what they did."""
    _wide_vectors()
    o, k = np.uintp(at), np.uintp(kept_at)
    for i in range(np.uintp(count)):
        u = v[o + i]
        w = max(u, u * slope)
        v[o + i] = min(max(w, -clamp), clamp)
        kept[k + i] = np.uint8(0) if abs(w) > clamp else (np.uint8(1) if u > 0 else np.uint8(2))


@_compiled
def _unbend(v, at, kept, kept_at, count, slope):  # type: ignore[no-untyped-def]
    """The gradient's run times the slope that was kept."""
    _wide_vectors()
    o, k = np.uintp(at), np.uintp(kept_at)
    one, none = np.float32(1), np.float32(0)
    for i in range(np.uintp(count)):
        side = kept[k + i]
        v[o + i] *= one if side == 1 else (slope if side == 2 else none)


@_compiled
def _upsampling_table(F_x, a, before, phases, in_phases, stride, origin, channels):  # type: ignore[no-untyped-def]
    """For each term and phase of the higher rate, the six taps along x, and where each starts in a row that is read."""
    terms = len(F_x)
    taps, places = np.zeros(terms * phases * TAPS, np.float32), np.zeros(terms * phases * TAPS, np.int64)
    for term in range(terms):
        for f in range(phases):
            r = (before - f) % a
            for t in range(TAPS):
                k = (term * phases + f) * TAPS + t
                i = (f + r - before) // a + t
                taps[k] = F_x[term, r + a * t]
                places[k] = (i % in_phases) * stride + origin + (i // in_phases) * channels
    return taps, places


@_compiled
def _downsampling_table(G_x, b, offset, phases, out_phases, stride, origin, channels):  # type: ignore[no-untyped-def]
    """For each term and phase of the output, the 6 b taps along x, and where each starts in a lowered row."""
    terms, count = G_x.shape
    taps, places = np.zeros(terms * out_phases * count, np.float32), np.zeros(terms * out_phases * count, np.int64)
    for term in range(terms):
        for e in range(out_phases):
            for j in range(count):
                k = (term * out_phases + e) * count + j
                p = e * b + j + offset
                taps[k] = G_x[term, j]
                places[k] = (p % phases) * stride + origin + (p // phases) * channels
    return taps, places


@_compiled
def _upsample_along_x(read, at, ring_size, row, table, phases, stride, origin, count):  # type: ignore[no-untyped-def]
    """Filter a row along x: every term and phase, into the ring of each term."""
    _wide_vectors()
    taps, places = table
    for k in range(len(taps) // TAPS):
        out = (k // phases) * ring_size + at + (k % phases) * stride + origin
        _mix(read, out, row, places, k * TAPS, taps, count, False)


@_compiled
def _upsample_along_y(bent, at, read, ring_size, F_y, r, a, first_row, row_size):  # type: ignore[no-untyped-def]
    """Filter six rows of the ring along y, from `first_row` on, into a row of the higher rate."""
    _wide_vectors()
    taps, places = np.zeros(TAPS, np.float32), np.zeros(TAPS, np.int64)
    for term in range(len(F_y)):
        for t in range(TAPS):
            taps[t] = F_y[term, r + a * t]
            places[t] = term * ring_size + ((first_row + t) & (READ_ROWS - 1)) * row_size
        _mix(bent, at, read, places, 0, taps, row_size, term > 0)


@_compiled
def _bend_row(bent, at, kept, kept_at, positions, phases, stride, channels, bounds, forwards):  # type: ignore[no-untyped-def]
    """Apply the nonlinearity, or its derivative, to all phases of a row; positions beyond the last one stay 0."""
    _wide_vectors()
    slope, clamp = bounds
    columns = -(-positions // phases)
    for f in range(phases):
        o, k = at + f * stride, kept_at + f * columns * channels
        if forwards:
            _bend(bent, o, kept, k, columns * channels, slope, clamp)
        else:
            _unbend(bent, o, kept, k, columns * channels, slope)
        if f + phases * (columns - 1) >= positions:
            bent[o + (columns - 1) * channels : o + columns * channels] = 0.0


@_compiled
def _downsample(made, lowered, bent, rows, G_y, table, out_phases, stride, row_size, count):  # type: ignore[no-untyped-def]
    """Filter rows of the higher rate, which start at `rows`, along y and then along x into the phases of an output row."""
    _wide_vectors()
    taps, places = table
    down_taps = np.zeros(len(rows), np.float32)
    for term in range(len(G_y)):
        down_taps[:] = G_y[term]
        for k in range(0, len(rows), 2 * TAPS):
            _mix_twelve(lowered, 0, bent, rows, k, down_taps, row_size, k > 0)
        for e in range(out_phases):
            first = (term * out_phases + e) * len(rows)
            for k in range(0, len(rows), 2 * TAPS):
                _mix_twelve(made, e * stride, lowered, places, first + k, taps, count, k > 0 or term > 0)


@_compiled
def filter_maps(maps, filters, places, bounds, forwards):  # type: ignore[no-untyped-def]
    """The formula above for a batch.

    maps      x (n, h, w, c), y (n, oh, ow, c) and kept (n, P, L K c) with K = ceil(P / L), which is written or read
    filters   F and G along y and along x, each (terms, taps): F_y, F_x, G_y, G_x
    places    a, b, before, offset, P
    bounds    slope and clamp
    """
    _wide_vectors()
    x, y, kept = maps
    F_y, F_x, G_y, G_x = filters
    a, b, before, offset, positions = places
    batch, height, width, channels = x.shape
    x_flat, y_flat, kept_flat = x.reshape(-1), y.reshape(-1), kept.reshape(-1)
    _, out_height, out_width, _ = y.shape
    L = max(a, b)
    in_phases, out_phases = L // a, L // b
    K = -(-positions // L)
    taps = TAPS * b
    beyond = max(-offset, (out_height - 1) * b + taps + offset - positions, before, positions - before - width * a, 0)
    pad = TAPS + 1 + -(-beyond // L)  # empty columns on either side of each phase
    stride = (max(K, -(-width // in_phases)) + 2 * pad) * channels
    origin = pad * channels
    row_size = L * stride
    bent_rows = BENT_ROWS // 2 if b == 2 else BENT_ROWS
    ring_size = READ_ROWS * row_size  # of one term
    row = np.zeros(in_phases * stride, np.float32)
    read = np.zeros(len(F_y) * ring_size, np.float32)
    bent = np.zeros(bent_rows * row_size, np.float32)
    lowered = np.zeros(row_size, np.float32)
    made = np.zeros(out_phases * stride, np.float32)
    rows = np.zeros(taps, np.int64)
    up = _upsampling_table(F_x, a, before, L, in_phases, stride, origin, channels)
    down = _downsampling_table(G_x, b, offset, L, out_phases, stride, origin, channels)
    out_count = -(-out_width // out_phases) * channels

    for n in range(batch):
        loaded, p = -(before // a) - TAPS, min(0, offset)  # the next rows of the map, and of the higher rate
        read[:] = 0.0
        for m in range(out_height):
            while p < m * b + offset + taps:
                at = (p & (bent_rows - 1)) * row_size
                if p < 0 or p >= positions:
                    bent[at : at + row_size] = 0.0
                    p += 1
                    continue
                r = (before - p) % a
                first_row = (p + r - before) // a
                while loaded < first_row + TAPS:
                    ring_at = (loaded & (READ_ROWS - 1)) * row_size
                    if 0 <= loaded < height:
                        x_at = (n * height + loaded) * width * channels
                        _gather(row, x_flat, x_at, width, channels, in_phases, stride, origin)
                        _upsample_along_x(read, ring_at, ring_size, row, up, L, stride, origin, K * channels)
                    else:
                        for term in range(len(F_y)):
                            read[term * ring_size + ring_at : term * ring_size + ring_at + row_size] = 0.0
                    loaded += 1
                _upsample_along_y(bent, at, read, ring_size, F_y, r, a, first_row, row_size)
                kept_at = (n * positions + p) * L * K * channels
                _bend_row(bent, at + origin, kept_flat, kept_at, positions, L, stride, channels, bounds, forwards)
                p += 1
            for j in range(taps):
                rows[j] = ((m * b + offset + j) & (bent_rows - 1)) * row_size
            _downsample(made, lowered, bent, rows, G_y, down, out_phases, stride, row_size, out_count)
            y_at = (n * out_height + m) * out_width * channels
            _scatter(y_flat, y_at, made, out_width, channels, out_phases, stride)
