"""The fused filtered leaky ReLU of a tile, compiled by numba for the processor at hand. `fused_filtered_lrelu` calls it.

A map is stored with its channels last, so a row of G channels and X columns is one run of X G numbers: a shift by a
column is a shift by G, whatever G is. Signals at the raised rate are kept as `up` phases: column a of phase f is sample
up a + f.

A tile is some rows of the output in their whole width. It is worked on from left to right in blocks of columns that fit the
second cache, and a block in strips of a vector of a run, from top to bottom. Between the filters along y a strip stays in
registers:

    map ─ z ─┬ raised along x ─ raised along y, bent, lowered along y ┬─ lowered along x ─ output
             └───────────────────── for each strip ───────────────────┘   for each row

A block goes on from the last columns that the one before has lowered along y.
"""

import logging
import threading

import numpy as np
from numba import types

from shared.image.ops.fused_passes import (
    compiled,
    lower_along_x_1,
    lower_along_x_2,
    pass_along_y_2,
    pass_along_y_4,
    raise_along_x,
)
from shared.image.ops.vectors import (
    LANES,
    add_product,
    larger,
    load,
    load_half,
    magnitude,
    part_of_its_caller,
    product,
    spread,
    store,
    store_half,
    wide_vectors,
)

HALF_TAPS = 6  # taps of a phase of the first filter; the second has twice as many, at twice the output's rate
FLOATS = types.Array(types.float32, 1, "C")
TABLE = types.Array(types.float32, 2, "C")
HALVES = types.Array(types.uint16, 1, "C")
PLAN = types.Array(types.int64, 1, "C")
PATIENCE_S = 3.0  # kernels that are kept on disk load within it


@compiled()
def _take(s, out, x, x_half, x_at, runs, run, skip, scale, bias, period, rest, rest_half):  # type: ignore[no-untyped-def]
    """`runs` runs of `run` numbers of the map, `skip` apart, scaled and shifted; scale and bias come again after `period`.

    Gives the largest magnitude. rest, rest_half: a vector to work on the end of a run in.
    """
    wide_vectors()
    half = len(x) == 0
    o, at, place = np.uintp(out), np.uintp(x_at), np.uintp(0)
    largest = spread(np.float32(0))
    end = np.uintp(run % LANES)
    for _ in range(runs):
        for _ in range(run // LANES):
            value = load_half(x_half, at) if half else load(x, at)
            value = add_product(load(bias, place), value, load(scale, place))
            store(s, o, value)
            largest = larger(magnitude(value), largest)
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
            value = load_half(rest_half, np.uintp(0)) if half else load(rest, np.uintp(0))
            value = add_product(load(bias, place), value, load(scale, place))
            largest = larger(magnitude(value), largest)
            store(rest, np.uintp(0), value)
            for i in range(end):
                s[o + i] = rest[i]
            o += end
            at += end
        place = np.uintp(0)
        at += np.uintp(skip)
    store(rest, np.uintp(0), largest)
    most = np.float32(0)
    for i in range(LANES):
        most = max(most, rest[i])
    return most


@compiled()
def _give(y, y_half, at, s, row, run, post, period, rest):  # type: ignore[no-untyped-def]
    """A run of `run` numbers to the output, scaled and rounded; post comes again after `period`."""
    o, at, place = np.uintp(row), np.uintp(at), np.uintp(0)
    for _ in range(run // LANES):
        _give_vector(y, y_half, at, s, o, post, place)
        o += np.uintp(LANES)
        at += np.uintp(LANES)
        place += np.uintp(LANES)
        if place == np.uintp(period):
            place = np.uintp(0)
    _give_end(y, y_half, at, s, o, post, place, run % LANES, rest)


@compiled()
def _give_columns(y, y_half, at, s, row, to_phase, phases, columns, group, channels, post, rest):  # type: ignore[no-untyped-def]
    """Columns of `group` numbers to the output, scaled and rounded, column by column of the phases in turn."""
    from_, at, step = np.uintp(row), np.uintp(at), np.uintp(channels)
    whole = group == channels
    vectors, tail = group // LANES, group % LANES
    column = 0
    while column < columns:
        o = from_
        for _ in range(min(phases, columns - column)):
            column += 1
            # A whole vector may end in columns that are still to come, not behind the last: that may be another thread's.
            spills = tail > 0 and whole and (columns - column) * group >= LANES - tail
            for i in range(np.uintp(vectors + spills)):
                place = i * np.uintp(LANES)
                _give_vector(y, y_half, at + place, s, o + place, post, place)
            if tail and not spills:
                place = np.uintp(vectors * LANES)
                _give_end(y, y_half, at + place, s, o + place, post, place, tail, rest)
            at += step
            o += np.uintp(to_phase)
        from_ += np.uintp(group)


@compiled()
def _give_vector(y, y_half, at, s, o, post, place):  # type: ignore[no-untyped-def]
    """A vector."""
    part_of_its_caller()
    value = product(load(s, o), load(post, place))
    if len(y) == 0:
        store_half(y_half, at, value)
    else:
        store(y, at, value)


@compiled()
def _give_end(y, y_half, at, s, o, post, place, count, rest):  # type: ignore[no-untyped-def]
    """Less than a vector, and nothing beyond it. rest: a vector to round it in."""
    if count and len(y) == 0:
        store_half(rest, np.uintp(0), product(load(s, o), load(post, place)))
    for i in range(np.uintp(count)):
        if len(y) == 0:
            y_half[at + i] = rest[i]
        else:
            y[at + i] = s[o + i] * post[place + i]


@compiled()
def _keep(s, out, at, row, rows, run):  # type: ignore[no-untyped-def]
    """The last `run` numbers of `rows` rows, from `at` on, to where the next block looks for them; less than a vector more is overwritten."""
    wide_vectors()
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
        "compiling the picture filters for this processor, about 10 s; this is done once, unless nothing can be kept on disk",
    ),
)
_notice.daemon = True
_notice.start()


@compiled(FLOATS, HALVES, FLOATS, HALVES, FLOATS, FLOATS, FLOATS, TABLE, TABLE, TABLE, TABLE, PLAN, FLOATS, FLOATS)
def filter_tile(  # type: ignore[no-untyped-def]
    x, x_half, y, y_half, scale, bias, post, sums, differences, taps_y, taps_x, plan, bounds, scratch
):
    """Some channels of some rows of a map.

    x or x_half (the other is empty): the map (H, W, C), flat. y or y_half: where (OH, OW, C) go. scale, bias, post: (C,).
    sums, differences (up / 2, 3), taps_y, taps_x (terms, 6): see `fused_passes`. plan: see `Tile`. bounds: leak, clamp, and
    what a number of z may be without reaching the clamp. scratch: working memory, see `Tile`.
    """
    wide_vectors()
    height, width, channels, out_width, up, shift = plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]
    channel, group, first_row, last_row, rows, early = plan[6], plan[7], plan[8], plan[9], plan[10], plan[11]
    computed, columns, kept, pad = plan[12], plan[13], plan[14], plan[15]
    stride, length, period = plan[16], plan[17], plan[18]
    terms, ways, leak, clamp = len(taps_y), up // 2, bounds[0], bounds[1]  # ways: phases of the output
    above, left = (2 * (first_row - early) + shift) // up, shift // up  # the first row and column of the map needed
    whole = group == channels  # then rows of the map are single runs

    to_term = up * stride  # rows of `lowered`: for each row of the output, each term, each phase of x
    to_row = terms * to_term
    lowered = rows * length  # the places of z (0), of everything else, in the scratch
    raised = lowered + computed * to_row
    row = raised + up * rows * LANES
    tables = row + ways * stride
    scales, biases = scratch[tables : tables + period], scratch[tables + period : tables + 2 * period]
    posts = scratch[tables + 2 * period : tables + 3 * period]
    rest, rest_half = np.zeros(LANES, np.float32), np.zeros(LANES, np.uint16)
    for i in range(period):
        at = channel + i % group
        scales[i], biases[i], posts[i] = scale[at], bias[at], post[at]
    places = np.empty(10 + up, np.uintp)
    for j in range(10 + up):
        places[j] = (j + shift) % up * stride + ((j + shift) // up - left) * group + pad

    end = (out_width + ways - 1) // ways  # of the output's columns, over ways
    q = 0
    while q < end:
        have = kept if q else 0
        first = left + q + have
        count = min(columns, end - q + kept) - have  # of columns that are new
        begin, stop = min(max(0, -first), count + 5), max(0, min(count + 5, width - first))
        most = np.float32(0)
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
            taken = _take(scratch, at, x, x_half, x_at, runs, run, skip, scales, biases, period, rest, rest_half)
            most = max(most, taken)
        clamped = not most <= bounds[2]

        for i in range(0, count * group, LANES):
            raise_along_x(scratch, raised, i, length, group, rows, sums, differences)
            for phase in range(up):
                out, u = lowered + pad + have * group + i + phase * stride, raised + phase * rows * LANES
                if up == 2:
                    pass_along_y_2(
                        scratch, out, to_row, to_term, u, computed, sums, differences, taps_y, leak, clamped, clamp
                    )
                else:
                    pass_along_y_4(
                        scratch, out, to_row, to_term, u, computed // 2, sums, differences, taps_y, leak, clamped, clamp
                    )

        given = min(columns - kept, end - q)
        wanted = min(given * ways, out_width - q * ways)  # columns of the output
        for m in range(last_row - first_row):
            at, strips = lowered + (early + m) * to_row, -(-given * group // LANES)
            if up == 2:
                lower_along_x_1(scratch, row, at, to_term, places, strips, taps_x)
            else:
                lower_along_x_2(scratch, row, row + stride, at, to_term, places, strips, taps_x)
            y_at = ((first_row + m) * out_width + q * ways) * channels + channel
            if whole and up == 2:
                _give(y, y_half, y_at, scratch, row, given * group, posts, period, rest_half)
            else:
                _give_columns(y, y_half, y_at, scratch, row, stride, ways, wanted, group, channels, posts, rest_half)
        q += given
        if q < end:
            at = lowered + pad
            _keep(scratch, at, at + given * group, stride, computed * terms * up, kept * group)


_notice.cancel()
