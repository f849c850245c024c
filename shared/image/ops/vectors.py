"""Vectors of float32 for numba's kernels: what a compiler makes of a loop depends on how it is written, this does not.

A vector is as long as a register of the processor at hand. The functions exist in compiled code only. Offsets count numbers;
nothing checks them.
"""

import platform
from collections.abc import Callable
from typing import Any, cast

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

IS_WIDE = bool(binding.get_host_cpu_features().get("avx512bf16", False))
"""Registers of 512 bits, and a processor of the generations that do not lower their clock for them."""
LANES = 16 if IS_WIDE else 4 if platform.machine().lower() in ("arm64", "aarch64") else 8
FLOATS, WORDS, BITS = (ir.VectorType(each, LANES) for each in (ir.FloatType(), ir.IntType(16), ir.IntType(32)))
NUMBER_BYTES, WORD_BYTES = 4, 2

operation = cast(Callable[[Callable[..., Any]], Any], intrinsic)
"""Of what makes the types and LLVM's code of a call, numba makes a function."""


class Vector(types.Type):
    """The type, for numba."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


VECTOR: Any = cast(Callable[[], Any], Vector)()


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """The type, for LLVM."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)  # type: ignore[no-untyped-call]


def _place(context: Any, builder: Any, kind: Any, array: Any, offset: Any, to: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


def _all(value: int) -> Any:
    return ir.Constant(BITS, [value] * LANES)


@operation
def load(typing: Any, array: Any, offset: Any) -> Any:
    """A vector from `offset` on."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(
            _place(context, builder, signature.args[0], values[0], values[1], FLOATS), align=NUMBER_BYTES
        )

    return VECTOR(array, types.uintp), emit


@operation
def store(typing: Any, array: Any, offset: Any, vector: Any) -> Any:
    """A vector to `offset` on."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _place(context, builder, signature.args[0], values[0], values[1], FLOATS)
        builder.store(values[2], place, align=NUMBER_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uintp, VECTOR), emit


@operation
def load_half(typing: Any, array: Any, offset: Any) -> Any:
    """A vector of bfloat16, which is the upper half of a float32."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = builder.load(_place(context, builder, signature.args[0], values[0], values[1], WORDS), align=WORD_BYTES)
        return builder.bitcast(builder.shl(builder.zext(words, BITS), _all(16)), FLOATS)

    return VECTOR(array, types.uintp), emit


@operation
def store_half(typing: Any, array: Any, offset: Any, vector: Any) -> Any:
    """A vector rounded to bfloat16, halves to even."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        bits = builder.bitcast(values[2], BITS)
        odd = builder.and_(builder.lshr(bits, _all(16)), _all(1))
        rounded = builder.lshr(builder.add(builder.add(bits, odd), _all(0x7FFF)), _all(16))
        place = _place(context, builder, signature.args[0], values[0], values[1], WORDS)
        builder.store(builder.trunc(rounded, WORDS), place, align=WORD_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uintp, VECTOR), emit


@operation
def spread(typing: Any, number: Any) -> Any:
    """A number in all lanes."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), values[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, ir.Constant(FLOATS, ir.Undefined), _all(0))

    return VECTOR(types.float32), emit


@operation
def product(typing: Any, a: Any, b: Any) -> Any:
    """A b."""
    return VECTOR(VECTOR, VECTOR), lambda context, builder, signature, values: builder.fmul(*values)


@operation
def add(typing: Any, a: Any, b: Any) -> Any:
    """A + b."""
    return VECTOR(VECTOR, VECTOR), lambda context, builder, signature, values: builder.fadd(*values)


@operation
def subtract(typing: Any, a: Any, b: Any) -> Any:
    """A - b."""
    return VECTOR(VECTOR, VECTOR), lambda context, builder, signature, values: builder.fsub(*values)


@operation
def add_product(typing: Any, sum_: Any, a: Any, b: Any) -> Any:
    """Sum + a b, rounded once where the processor can."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        sum_, a, b = values
        kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
        return builder.call(function, [a, b, sum_])

    return VECTOR(VECTOR, VECTOR, VECTOR), emit


@operation
def magnitude(typing: Any, a: Any) -> Any:
    """|a|."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(FLOATS, [FLOATS])
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f32")
        return builder.call(function, values)

    return VECTOR(VECTOR), emit


@operation
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of a and b in each lane."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return VECTOR(VECTOR, VECTOR), emit


@operation
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of a and b in each lane."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *values), *values)

    return VECTOR(VECTOR, VECTOR), emit


@operation
def wide_vectors(typing: Any) -> Any:
    """In a function: let LLVM use registers of 512 bits where they pay, of which it is wary by default."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if IS_WIDE:
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), emit


@operation
def part_of_its_caller(typing: Any) -> Any:
    """In a function: have LLVM put it into the functions that call it, whatever its size, so that its vectors stay in registers."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.function.attributes.add("alwaysinline")
        return context.get_dummy_value()

    return types.void(), emit
