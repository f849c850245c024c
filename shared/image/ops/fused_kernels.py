"""Loops of the fused filtered leaky ReLU, compiled by numba for the processor at hand. `fused_filtered_lrelu` calls them.

A map is stored with its channels last, so a row of G channels and X columns is one run of X G numbers: a shift by a
column is a shift by G, whatever G is. Signals at the raised rate are kept as `up` phases: column a of phase f is sample
up a + f.

A tile is worked on in strips of 16 numbers of such a run, from top to bottom, so that between the four filters a strip
stays in the nearest cache and every load but the first is aligned:

    map ─ z ─┬ raised along x ─ raised along y, bent ─ lowered along y ┬─ lowered along x ─ output
             └──────────────── for each strip and phase ───────────────┘   for each row
"""

import inspect
import logging
import threading
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import njit, types

from shared.image.ops.vectors import (
    LANES,
    add,
    add_product,
    larger,
    load,
    load_half,
    product,
    smaller,
    spread,
    store,
    store_half,
    wide_vectors,
)

Loop = Callable[..., Any]

HALF_TAPS = 6  # taps of a phase of the first filter; the second has twice as many, at twice the output's rate
FLOATS = types.Array(types.float32, 1, "C")
TABLE = types.Array(types.float32, 2, "C")
HALVES = types.Array(types.uint16, 1, "C")
PLAN = types.Array(types.int64, 1, "C")
PATIENCE_S = 3.0  # kernels that are kept on disk load within it


def _compiled(*signature: types.Type) -> Callable[[Loop], Loop]:
    """Machine code kept on disk, made when the module is imported where a signature is given; called without the GIL."""

    def compile_(loop: Loop) -> Loop:
        options: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "nogil": True}
        plain: Any = inspect.unwrap(loop)
        arguments = (types.void(*signature),) if signature else ()
        machine_code: Any
        try:
            machine_code = njit(*arguments, cache=True, **options)(plain)  # type: ignore[call-overload]
        except RuntimeError:  # no folder to keep it in, as with a read-only installation: compiled at every start
            machine_code = njit(*arguments, **options)(plain)
        return cast(Loop, machine_code)

    return compile_


# Offsets are unsigned from here on: a signed index may be negative, which costs a test for every number.


@_compiled()
def _six(taps, row, first):  # type: ignore[no-untyped-def]
    """Six taps of a row of the table, each in all lanes of a vector."""
    return (
        spread(taps[row, first]),
        spread(taps[row, first + 1]),
        spread(taps[row, first + 2]),
        spread(taps[row, first + 3]),
        spread(taps[row, first + 4]),
        spread(taps[row, first + 5]),
    )


@_compiled()
def _sum(x, at, step, taps):  # type: ignore[no-untyped-def]
    """sum_k taps[k] x[at + k step], of 16 neighbours at once."""
    total = product(load(x, at), taps[0])
    at += step
    total = add_product(total, load(x, at), taps[1])
    at += step
    total = add_product(total, load(x, at), taps[2])
    at += step
    total = add_product(total, load(x, at), taps[3])
    at += step
    total = add_product(total, load(x, at), taps[4])
    at += step
    return add_product(total, load(x, at), taps[5])


@_compiled()
def _sum_at(x, at, places, taps):  # type: ignore[no-untyped-def]
    """sum_k taps[k] x[at + places[k]], of 16 neighbours at once."""
    total = product(load(x, at + places[0]), taps[0])
    total = add_product(total, load(x, at + places[1]), taps[1])
    total = add_product(total, load(x, at + places[2]), taps[2])
    total = add_product(total, load(x, at + places[3]), taps[3])
    total = add_product(total, load(x, at + places[4]), taps[4])
    return add_product(total, load(x, at + places[5]), taps[5])


@_compiled()
def _raise_along_x(s, out, out2, z, row, shift, rows, taps, phase):  # type: ignore[no-untyped-def]
    """A strip of two phases: out[r] = sum_k taps[phase, k] z[r row + k shift], out2 the same with the next phase."""
    wide_vectors()
    even, odd = _six(taps, phase, 0), _six(taps, phase + 1, 0)
    o, o2, at, step, shift = np.uintp(out), np.uintp(out2), np.uintp(z), np.uintp(row), np.uintp(shift)
    for _ in range(rows):
        a, b = _sum(s, at, shift, even), _sum(s, at, shift, odd)  # the compiler loads once for both
        store(s, o, a)
        store(s, o2, b)
        at += step
        o += np.uintp(LANES)
        o2 += np.uintp(LANES)


@_compiled()
def _raise_along_y_and_bend(s, out, up, u, rows, taps, phase, slope, clamp):  # type: ignore[no-untyped-def]
    """Two of `up` phases of a strip raised along y, then leaky ReLU and clamp."""
    wide_vectors()
    even, odd = _six(taps, phase, 0), _six(taps, phase + 1, 0)
    leak, top, bottom = spread(slope), spread(clamp), spread(-clamp)
    o, at, step = np.uintp(out + phase * LANES), np.uintp(u), np.uintp(up * LANES)
    for _ in range(rows):
        a, b = _sum(s, at, np.uintp(LANES), even), _sum(s, at, np.uintp(LANES), odd)
        a, b = larger(a, product(a, leak)), larger(b, product(b, leak))
        store(s, o, smaller(larger(a, bottom), top))
        store(s, o + np.uintp(LANES), smaller(larger(b, bottom), top))
        at += np.uintp(LANES)
        o += step


@_compiled()
def _lower_along_y(s, out, row, v, rows, taps, term):  # type: ignore[no-untyped-def]
    """A strip: out[m row] = sum_j taps[term, j] v[2 m + j]."""
    wide_vectors()
    first, second = _six(taps, term, 0), _six(taps, term, HALF_TAPS)
    o, at, step = np.uintp(out), np.uintp(v), np.uintp(row)
    for _ in range(rows):
        a = _sum(s, at, np.uintp(LANES), first)
        b = _sum(s, at + np.uintp(HALF_TAPS * LANES), np.uintp(LANES), second)
        store(s, o, add(a, b))
        at += np.uintp(2 * LANES)
        o += step


@_compiled()
def _lower_along_x(s, out, lowered, places, strips, taps, term):  # type: ignore[no-untyped-def]
    """A row: out[i] = sum_j taps[term, j] lowered[places[j] + i]; terms after the first are added."""
    wide_vectors()
    first, second = _six(taps, term, 0), _six(taps, term, HALF_TAPS)
    p = (places[0], places[1], places[2], places[3], places[4], places[5])
    q = (places[6], places[7], places[8], places[9], places[10], places[11])
    o, at = np.uintp(out), np.uintp(lowered)
    if term > 0:
        for _ in range(strips):
            store(s, o, add(load(s, o), add(_sum_at(s, at, p, first), _sum_at(s, at, q, second))))
            o += np.uintp(LANES)
            at += np.uintp(LANES)
    else:
        for _ in range(strips):
            store(s, o, add(_sum_at(s, at, p, first), _sum_at(s, at, q, second)))
            o += np.uintp(LANES)
            at += np.uintp(LANES)


@_compiled()
def _take(s, bits, out, x, x_half, x_at, runs, run, skip, scale, bias, period):  # type: ignore[no-untyped-def]
    """`runs` runs of `run` numbers of the map, `skip` apart, scaled and shifted; scale and bias come again after `period`."""
    wide_vectors()
    half = len(x) == 0
    o, at, place = np.uintp(out), np.uintp(x_at), np.uintp(0)
    for _ in range(runs):
        for _ in range(run // LANES):
            value = load_half(x_half, at) if half else load(x, at)
            store(s, o, add_product(load(bias, place), value, load(scale, place)))
            o += np.uintp(LANES)
            at += np.uintp(LANES)
            place += np.uintp(LANES)
            if place == np.uintp(period):
                place = np.uintp(0)
        for _ in range(run % LANES):
            if half:
                bits[o] = np.uint32(x_half[at]) << np.uint32(16)
            else:
                s[o] = x[at]
            s[o] = s[o] * scale[place] + bias[place]
            o += np.uintp(1)
            at += np.uintp(1)
            place += np.uintp(1)
        place = np.uintp(0)
        at += np.uintp(skip)


@_compiled()
def _give(y, y_half, y_at, s, row, runs, run, skip, post, period, rest):  # type: ignore[no-untyped-def]
    """`runs` runs of `run` numbers to the output, `skip` apart, scaled and rounded; `rest`: 16 words to round a run's end in."""
    wide_vectors()
    half = len(y) == 0
    o, at = np.uintp(row), np.uintp(y_at)
    for _ in range(runs):
        place = np.uintp(0)
        for _ in range(run // LANES):
            value = product(load(s, o), load(post, place))
            if half:
                store_half(y_half, at, value)
            else:
                store(y, at, value)
            o += np.uintp(LANES)
            at += np.uintp(LANES)
            place += np.uintp(LANES)
            if place == np.uintp(period):
                place = np.uintp(0)
        if run % LANES:
            if half:
                store_half(rest, np.uintp(0), product(load(s, o), load(post, place)))
            for i in range(np.uintp(run % LANES)):
                if half:
                    y_half[at + i] = rest[i]
                else:
                    y[at + i] = s[o + i] * post[place + i]
            o += np.uintp(run % LANES)
            at += np.uintp(run % LANES)
        at += np.uintp(skip)


_notice = threading.Timer(
    PATIENCE_S,
    logging.getLogger(__name__).warning,
    (
        "compiling the picture filters for this processor, about 10 s; this is done once, unless nothing can be kept on disk",
    ),
)
_notice.daemon = True
_notice.start()


@_compiled(FLOATS, HALVES, FLOATS, HALVES, FLOATS, FLOATS, FLOATS, TABLE, TABLE, TABLE, PLAN, FLOATS, FLOATS)
def filter_tile(  # type: ignore[no-untyped-def]
    x, x_half, y, y_half, scale, bias, post, up_taps, down_taps_y, down_taps_x, plan, limits, scratch
):
    """Some channels of some rows and columns of a map.

    x or x_half (the other is empty): the map (H, W, C), flat. y or y_half: where (OH, OW, C) go. scale, bias, post: (C,).
    up_taps (up, 6), down_taps (terms, 12). plan: see `Tile`. limits: slope, clamp. scratch: working memory, see `Tile`.
    """
    wide_vectors()
    height, width, channels, out_width, up, shift = plan[0], plan[1], plan[2], plan[3], plan[4], plan[5]
    channel, group, first_row, last_row, first, last = plan[6], plan[7], plan[8], plan[9], plan[10], plan[11]
    rows, columns, stride, length, period = plan[12], plan[13], plan[14], plan[15], plan[16]
    terms, phases, out_rows = len(down_taps_y), up // 2, last_row - first_row
    above, left = (2 * first_row + shift) // up, (2 * first + shift) // up  # the first row and column of the map needed
    lowered_row = up * stride

    lowered = rows * length  # the places of z (0), of everything else, in the scratch
    raised = lowered + terms * out_rows * lowered_row
    bent = raised + 2 * rows * LANES
    row = bent + up * (rows - 5) * LANES
    tables = row + phases * stride
    scales, biases = scratch[tables : tables + period], scratch[tables + period : tables + 2 * period]
    posts = scratch[tables + 2 * period : tables + 3 * period]
    bits, rest = scratch.view(np.uint32), np.empty(LANES, np.uint16)

    whole = group == channels  # then rows of the map are single runs
    for i in range(period):
        at = channel + i % group
        scales[i], biases[i], posts[i] = scale[at], bias[at], post[at]
    begin, end = max(0, -left), min(columns + 5, width - left)
    for r in range(rows):
        at = r * length
        if above + r < 0 or above + r >= height or end <= begin:
            scratch[at : at + length] = np.float32(0)
            continue
        scratch[at : at + begin * group] = np.float32(0)
        scratch[at + end * group : at + length] = np.float32(0)
        x_at = ((above + r) * width + left + begin) * channels + channel
        runs, run = (1, (end - begin) * group) if whole else (end - begin, group)
        _take(scratch, bits, at + begin * group, x, x_half, x_at, runs, run, channels - group, scales, biases, period)

    skipped = bent + (2 * first_row + shift - up * above) * LANES
    for i in range(-(-columns * group // LANES)):
        for pair in range(0, up, 2):
            other = raised + rows * LANES
            _raise_along_x(scratch, raised, other, i * LANES, length, group, rows, up_taps, pair)
            for second in range(2):
                u = other if second else raised
                for phase in range(0, up, 2):
                    _raise_along_y_and_bend(scratch, bent, up, u, rows - 5, up_taps, phase, limits[0], limits[1])
                for term in range(terms):
                    out = lowered + term * out_rows * lowered_row + (pair + second) * stride + i * LANES
                    _lower_along_y(scratch, out, lowered_row, skipped, out_rows, down_taps_y, term)

    places = np.empty((phases, 12), np.uintp)
    for phase in range(phases):
        for j in range(12):
            place = 2 * phase + j + shift
            places[phase, j] = (place % up) * stride + (place // up - shift // up) * group
    for m in range(out_rows):
        y_at = ((first_row + m) * out_width + first) * channels + channel
        for phase in range(phases):
            count = (last - first - phase + phases - 1) // phases  # columns of this phase
            strips = -(-count * group // LANES)
            for term in range(terms):
                at = lowered + (term * out_rows + m) * lowered_row
                _lower_along_x(scratch, row, at, places[phase], strips, down_taps_x, term)
            runs, run = (1, count * group) if whole and phases == 1 else (count, group)
            skip = phases * channels - group
            _give(y, y_half, y_at + phase * channels, scratch, row, runs, run, skip, posts, period, rest)


_notice.cancel()
