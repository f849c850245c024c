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
    """In a function: vectors of 512 bits where the processor gains by them; compilers avoid them by default."""
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
    slope, clamp = bounds
    batch, height, width, channels = x.shape
    x_flat, y_flat, kept_flat = x.reshape(-1), y.reshape(-1), kept.reshape(-1)
    _, out_height, out_width, _ = y.shape
    F_terms, G_terms = len(F_y), len(G_y)
    L = max(a, b)
    in_phases, out_phases = L // a, L // b
    K = -(-positions // L)
    beyond = max(
        -offset, (out_height - 1) * b + TAPS * b + offset - positions, before, positions - before - width * a, 0
    )
    pad = TAPS + 1 + -(-beyond // L)  # empty columns on either side of each phase
    bent_rows_kept = BENT_ROWS // 2 if b == 2 else BENT_ROWS
    stride = (max(K, -(-width // in_phases)) + 2 * pad) * channels
    origin = pad * channels
    ring_size = READ_ROWS * L * stride  # of one term
    row = np.zeros(in_phases * stride, np.float32)
    read = np.zeros(F_terms * ring_size, np.float32)
    bent = np.zeros(bent_rows_kept * L * stride, np.float32)
    lowered = np.zeros(L * stride, np.float32)
    made = np.zeros(out_phases * stride, np.float32)
    out_columns = -(-out_width // out_phases)

    # where the taps of each phase start in the row that is read, and of each output phase in the lowered row
    taps = TAPS * b
    along_taps = np.zeros(F_terms * L * TAPS, np.float32)
    along_at = np.zeros(L * TAPS, np.int64)
    for f in range(L):
        r = (before - f) % a
        for t in range(TAPS):
            i = (f + r - before) // a + t
            along_at[f * TAPS + t] = (i % in_phases) * stride + origin + (i // in_phases) * channels
            for term in range(F_terms):
                along_taps[(term * L + f) * TAPS + t] = F_x[term, r + a * t]
    across_taps = np.zeros(G_terms * out_phases * taps, np.float32)
    across_at = np.zeros(out_phases * taps, np.int64)
    for e in range(out_phases):
        for j in range(taps):
            p = e * b + j + offset
            across_at[e * taps + j] = (p % L) * stride + origin + (p // L) * channels
            for term in range(G_terms):
                across_taps[(term * out_phases + e) * taps + j] = G_x[term, j]
    raised_taps = np.zeros(TAPS, np.float32)
    raised_at = np.zeros(TAPS, np.int64)
    phase_at = np.zeros(TAPS, np.int64)
    phase_taps = np.zeros(TAPS, np.float32)
    rows_at = np.zeros(taps, np.int64)
    rows_taps = np.zeros(taps, np.float32)
    columns_at = np.zeros(taps, np.int64)
    columns_taps = np.zeros(taps, np.float32)

    for n in range(batch):
        loaded, bent_rows = -(before // a) - TAPS, min(0, offset)
        read[:] = 0.0
        for m in range(out_height):
            while bent_rows <= m * b + offset + taps - 1:
                p = bent_rows
                ring = (p & (bent_rows_kept - 1)) * L * stride
                if p < 0 or p >= positions:
                    bent[ring : ring + L * stride] = 0.0
                    bent_rows += 1
                    continue
                r = (before - p) % a
                i0 = (p + r - before) // a
                while loaded < i0 + TAPS:
                    at = (loaded & (READ_ROWS - 1)) * L * stride
                    if loaded < 0 or loaded >= height:
                        for term in range(F_terms):
                            read[term * ring_size + at : term * ring_size + at + L * stride] = 0.0
                    else:
                        x_at = (n * height + loaded) * width * channels
                        _gather(row, x_flat, x_at, width, channels, in_phases, stride, origin)
                        for term in range(F_terms):
                            for f in range(L):
                                out = term * ring_size + at + f * stride + origin
                                first = (term * L + f) * TAPS
                                phase_at[:] = along_at[f * TAPS : (f + 1) * TAPS]
                                phase_taps[:] = along_taps[first : first + TAPS]
                                _mix(read, out, row, phase_at, 0, phase_taps, K * channels, False)
                    loaded += 1
                for term in range(F_terms):
                    for t in range(TAPS):
                        raised_taps[t] = F_y[term, r + a * t]
                        raised_at[t] = term * ring_size + ((i0 + t) & (READ_ROWS - 1)) * L * stride
                    _mix(bent, ring, read, raised_at, 0, raised_taps, L * stride, term > 0)
                for f in range(L):
                    at = ring + f * stride + origin
                    kept_at = ((n * positions + p) * L + f) * K * channels
                    if forwards:
                        _bend(bent, at, kept_flat, kept_at, K * channels, slope, clamp)
                    else:
                        _unbend(bent, at, kept_flat, kept_at, K * channels, slope)
                    if f + L * (K - 1) >= positions:
                        bent[at + (K - 1) * channels : at + K * channels] = 0.0
                bent_rows += 1
            for j in range(taps):
                rows_at[j] = ((m * b + offset + j) & (bent_rows_kept - 1)) * L * stride
            for term in range(G_terms):
                rows_taps[:] = G_y[term]
                for k in range(0, taps, 2 * TAPS):
                    _mix_twelve(lowered, 0, bent, rows_at, k, rows_taps, L * stride, k > 0)
                for e in range(out_phases):
                    first = (term * out_phases + e) * taps
                    columns_at[:] = across_at[e * taps : (e + 1) * taps]
                    columns_taps[:] = across_taps[first : first + taps]
                    for k in range(0, taps, 2 * TAPS):
                        adds = k > 0 or term > 0
                        _mix_twelve(
                            made, e * stride, lowered, columns_at, k, columns_taps, out_columns * channels, adds
                        )
            y_at = (n * out_height + m) * out_width * channels
            _scatter(y_flat, y_at, made, out_width, channels, out_phases, stride)
