"""The fused filtered leaky ReLU of one tile, compiled by numba for the processor. `fused_filtered_lrelu` calls it.

Maps are stored channels last, so a row of G channels and X columns is one run of X G numbers, and a shift by one column is a
shift by G. Upsampled signals are stored as `up` phases: column a of phase f is sample up a + f.

A tile is a band of output rows in their whole width. It is computed from left to right in blocks of columns that fit the
second-level cache, each block in vertical strips one vector wide, from top to bottom. Between the filters along y a strip
stays in registers:

    map ─ z ─┬ upsample x ─ upsample y, activate, downsample y ┬─ downsample x ─ output
             └────────────────── for each strip ───────────────┘   for each row

A block continues from the last columns that its predecessor downsampled along y.
"""

import logging
import threading

import numpy as np
from numba import types

import shared.machine_code  # noqa: F401  # a damaged cache must not stop a picture
from shared.image.ops.fused_passes import (
    compiled,
    downsample_x,
    downsample_x_pair,
    resample_y_2,
    resample_y_4,
    upsample_x,
)
from shared.image.ops.vectors import (
    LANES,
    absolute,
    always_inline,
    broadcast,
    fma,
    load,
    load_bfloat16,
    maximum,
    multiply,
    prefer_wide_vectors,
    store,
    store_bfloat16,
)

HALF_TAPS = 6  # taps per phase of the first filter; the second filter has twice as many, at twice the output's rate
FLOATS = types.Array(types.float32, 1, "C")
TABLE = types.Array(types.float32, 2, "C")
HALVES = types.Array(types.uint16, 1, "C")
PLAN = types.Array(types.int64, 1, "C")
PATIENCE_S = 3.0  # cached kernels load faster than this


@compiled()
def _load_runs(s, out, x, x_half, x_at, runs, run, skip, scale, bias, period, rest, rest_half):  # type: ignore[no-untyped-def]
    """Load `runs` runs of `run` numbers of the map, `skip` apart, times scale plus bias; both repeat after `period` numbers.

    Returns the largest magnitude. rest, rest_half: one vector each, working memory for the end of a run.
    """
    prefer_wide_vectors()
    half = len(x) == 0
    o, at, place = np.uintp(out), np.uintp(x_at), np.uintp(0)
    largest = broadcast(np.float32(0))
    end = np.uintp(run % LANES)
    for _ in range(runs):
        for _ in range(run // LANES):
            value = load_bfloat16(x_half, at) if half else load(x, at)
            value = fma(value, load(scale, place), load(bias, place))
            store(s, o, value)
            largest = maximum(absolute(value), largest)
            o += np.uintp(LANES)
            at += np.uintp(LANES)
            place += np.uintp(LANES)
            if place == np.uintp(period):
                place = np.uintp(0)
        if end:
            for i in range(LANES):
                rest[i], rest_half[i] = np.float32(0), np.uint16(0)
            for i in range(end):
                if half:
                    rest_half[i] = x_half[at + i]
                else:
                    rest[i] = x[at + i]
            value = load_bfloat16(rest_half, np.uintp(0)) if half else load(rest, np.uintp(0))
            value = fma(value, load(scale, place), load(bias, place))
            largest = maximum(absolute(value), largest)
            store(rest, np.uintp(0), value)
            for i in range(end):
                s[o + i] = rest[i]
            o += end
            at += end
        place = np.uintp(0)
        at += np.uintp(skip)
    store(rest, np.uintp(0), largest)
    peak = np.float32(0)
    for i in range(LANES):
        peak = max(peak, rest[i])
    return peak


@compiled()
def _store_run(y, y_half, at, s, row, run, post, period, rest):  # type: ignore[no-untyped-def]
    """Store a run of `run` numbers in the output, scaled and rounded; `post` repeats after `period` numbers."""
    o, at, place = np.uintp(row), np.uintp(at), np.uintp(0)
    for _ in range(run // LANES):
        _store_vector(y, y_half, at, s, o, post, place)
        o += np.uintp(LANES)
        at += np.uintp(LANES)
        place += np.uintp(LANES)
        if place == np.uintp(period):
            place = np.uintp(0)
    _store_tail(y, y_half, at, s, o, post, place, run % LANES, rest)


@compiled()
def _store_columns(y, y_half, at, s, row, to_phase, phases, columns, group, channels, post, rest):  # type: ignore[no-untyped-def]
    """Store columns of `group` numbers in the output, scaled and rounded, taking the phases in turn."""
    from_, at, step = np.uintp(row), np.uintp(at), np.uintp(channels)
    whole = group == channels
    vectors, tail = group // LANES, group % LANES
    column = 0
    while column < columns:
        o = from_
        for _ in range(min(phases, columns - column)):
            column += 1
            # A whole vector may spill into columns that are written next, never past the last one: another thread may own those.
            spills = tail > 0 and whole and (columns - column) * group >= LANES - tail
            for i in range(np.uintp(vectors + spills)):
                place = i * np.uintp(LANES)
                _store_vector(y, y_half, at + place, s, o + place, post, place)
            if tail and not spills:
                place = np.uintp(vectors * LANES)
                _store_tail(y, y_half, at + place, s, o + place, post, place, tail, rest)
            at += step
            o += np.uintp(to_phase)
        from_ += np.uintp(group)


@compiled()
def _store_vector(y, y_half, at, s, o, post, place):  # type: ignore[no-untyped-def]
    """Store one vector."""
    always_inline()
    value = multiply(load(s, o), load(post, place))
    if len(y) == 0:
        store_bfloat16(y_half, at, value)
    else:
        store(y, at, value)


@compiled()
def _store_tail(y, y_half, at, s, o, post, place, count, rest):  # type: ignore[no-untyped-def]
    """Store less than a vector and nothing beyond it. rest: working memory for the rounding."""
    if count and len(y) == 0:
        store_bfloat16(rest, np.uintp(0), multiply(load(s, o), load(post, place)))
    for i in range(np.uintp(count)):
        if len(y) == 0:
            y_half[at + i] = rest[i]
        else:
            y[at + i] = s[o + i] * post[place + i]


@compiled()
def _carry_over(s, out, at, row, rows, run):  # type: ignore[no-untyped-def]
    """Copy the last `run` numbers of `rows` rows, from `at` on, to where the next block reads them; may overwrite up to a vector more."""
    prefer_wide_vectors()
    for r in range(rows):
        o, i = np.uintp(out + r * row), np.uintp(at + r * row)
        for _ in range((run + LANES - 1) // LANES):
            store(s, o, load(s, i))
            o += np.uintp(LANES)
            i += np.uintp(LANES)


_notice = threading.Timer(
    PATIENCE_S,
    logging.getLogger(__name__).warning,
    (
        "compiling the picture filters for this processor, about 10 s; the result is cached on disk where that is possible",
    ),
)
_notice.daemon = True
_notice.start()


@compiled(FLOATS, HALVES, FLOATS, HALVES, FLOATS, FLOATS, FLOATS, TABLE, TABLE, TABLE, TABLE, PLAN, FLOATS, FLOATS)
def filter_tile(  # type: ignore[no-untyped-def]
    x, x_half, y, y_half, scale, bias, post, sums, differences, taps_y, taps_x, plan, bounds, scratch
):
    """Filter a tile: a group of channels of a band of rows.

    x or x_half (the other is empty): the map (H, W, C), flat. y or y_half: the output (OH, OW, C), flat. scale, bias,
    post: (C,). sums, differences (up / 2, 3) and taps_y, taps_x (terms, 6): see `fused_passes`. plan: see `Tile`.
    bounds: leak, clamp, and the largest |z| that cannot reach the clamp. scratch: working memory, see `Tile`.
    """
    prefer_wide_vectors()
    height, width, channels, out_width, up, shift = plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]
    channel, group, first_row, last_row, rows, early = plan[6], plan[7], plan[8], plan[9], plan[10], plan[11]
    computed, columns, kept, pad = plan[12], plan[13], plan[14], plan[15]
    stride, length, period = plan[16], plan[17], plan[18]
    terms, phases, leak, clamp = len(taps_y), up // 2, bounds[0], bounds[1]  # phases of the output
    above, left = (2 * (first_row - early) + shift) // up, shift // up  # the first row and column of the map needed
    whole = group == channels  # if so, a row of the map is a single run

    to_term = up * stride  # `filtered` has a row for each output row, term and phase of x
    to_row = terms * to_term
    filtered = rows * length  # offsets in the scratch; z is at 0
    upsampled = filtered + computed * to_row
    row = upsampled + up * rows * LANES
    tables = row + phases * stride
    scales, biases = scratch[tables : tables + period], scratch[tables + period : tables + 2 * period]
    posts = scratch[tables + 2 * period : tables + 3 * period]
    rest, rest_half = np.zeros(LANES, np.float32), np.zeros(LANES, np.uint16)
    for i in range(period):
        at = channel + i % group
        scales[i], biases[i], posts[i] = scale[at], bias[at], post[at]
    places = np.empty(10 + up, np.uintp)
    for j in range(10 + up):
        places[j] = (j + shift) % up * stride + ((j + shift) // up - left) * group + pad

    end = (out_width + phases - 1) // phases  # of the output's columns, in units of `phases`
    q = 0
    while q < end:
        have = kept if q else 0
        first = left + q + have
        count = min(columns, end - q + kept) - have  # new columns
        begin, stop = min(max(0, -first), count + 5), max(0, min(count + 5, width - first))
        largest = np.float32(0)
        for r in range(rows):
            at = r * length
            if above + r < 0 or above + r >= height or stop <= begin:
                scratch[at : at + length] = np.float32(0)
                continue
            scratch[at : at + begin * group] = np.float32(0)
            scratch[at + stop * group : at + length] = np.float32(0)
            x_at = ((above + r) * width + first + begin) * channels + channel
            runs, run = (1, (stop - begin) * group) if whole else (stop - begin, group)
            at += begin * group
            skip = channels - group
            peak = _load_runs(scratch, at, x, x_half, x_at, runs, run, skip, scales, biases, period, rest, rest_half)
            largest = max(largest, peak)
        clamped = not largest <= bounds[2]

        for i in range(0, count * group, LANES):
            upsample_x(scratch, upsampled, i, length, group, rows, sums, differences)
            for phase in range(up):
                out, u = filtered + pad + have * group + i + phase * stride, upsampled + phase * rows * LANES
                if up == 2:
                    resample_y_2(
                        scratch, out, to_row, to_term, u, computed, sums, differences, taps_y, leak, clamped, clamp
                    )
                else:
                    resample_y_4(
                        scratch, out, to_row, to_term, u, computed // 2, sums, differences, taps_y, leak, clamped, clamp
                    )

        stored = min(columns - kept, end - q)
        wanted = min(stored * phases, out_width - q * phases)  # columns of the output
        for m in range(last_row - first_row):
            at, strips = filtered + (early + m) * to_row, -(-stored * group // LANES)
            if up == 2:
                downsample_x(scratch, row, at, to_term, places, strips, taps_x)
            else:
                downsample_x_pair(scratch, row, row + stride, at, to_term, places, strips, taps_x)
            y_at = ((first_row + m) * out_width + q * phases) * channels + channel
            if whole and up == 2:
                _store_run(y, y_half, y_at, scratch, row, stored * group, posts, period, rest_half)
            else:
                _store_columns(y, y_half, y_at, scratch, row, stride, phases, wanted, group, channels, posts, rest_half)
        q += stored
        if q < end:
            at = filtered + pad
            _carry_over(scratch, at, at + stored * group, stride, computed * terms * up, kept * group)


_notice.cancel()
