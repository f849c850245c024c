"""Float32 vectors for numba kernels, so that the machine code does not depend on the auto-vectoriser.

A vector is as long as a register of the processor. The functions exist in compiled code only. Offsets count numbers and
are not checked.
"""

import platform
from collections.abc import Callable
from typing import Any, cast

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

IS_WIDE = bool(binding.get_host_cpu_features().get("avx512bf16", False))
"""512-bit registers, on a processor generation that does not lower its clock when it uses them."""
LANES = 16 if IS_WIDE else 4 if platform.machine().lower() in ("arm64", "aarch64") else 8
FLOATS, WORDS, BITS = (ir.VectorType(each, LANES) for each in (ir.FloatType(), ir.IntType(16), ir.IntType(32)))
NUMBER_BYTES, WORD_BYTES = 4, 2

operation = cast(Callable[[Callable[..., Any]], Any], intrinsic)
"""Makes a numba function from a function that returns its signature and code generator."""


class Vector(types.Type):
    """The vector type, as numba sees it."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


VECTOR: Any = cast(Callable[[], Any], Vector)()


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """The vector type, as LLVM sees it."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)  # type: ignore[no-untyped-call]


def _pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any, to: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [offset]), to.as_pointer())


def _constant(value: int) -> Any:
    return ir.Constant(BITS, [value] * LANES)


@operation
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Load a vector from `offset`."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(
            _pointer(context, builder, signature.args[0], values[0], values[1], FLOATS), align=NUMBER_BYTES
        )

    return VECTOR(array, types.uintp), emit


@operation
def store(typing: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Store a vector at `offset`."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _pointer(context, builder, signature.args[0], values[0], values[1], FLOATS)
        builder.store(values[2], place, align=NUMBER_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uintp, VECTOR), emit


@operation
def load_bfloat16(typing: Any, array: Any, offset: Any) -> Any:
    """Load a vector of bfloat16 (the upper half of a float32)."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        words = builder.load(
            _pointer(context, builder, signature.args[0], values[0], values[1], WORDS), align=WORD_BYTES
        )
        return builder.bitcast(builder.shl(builder.zext(words, BITS), _constant(16)), FLOATS)

    return VECTOR(array, types.uintp), emit


@operation
def store_bfloat16(typing: Any, array: Any, offset: Any, vector: Any) -> Any:
    """Store a vector as bfloat16, rounding halves to even."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        bits = builder.bitcast(values[2], BITS)
        odd = builder.and_(builder.lshr(bits, _constant(16)), _constant(1))
        rounded = builder.lshr(builder.add(builder.add(bits, odd), _constant(0x7FFF)), _constant(16))
        place = _pointer(context, builder, signature.args[0], values[0], values[1], WORDS)
        builder.store(builder.trunc(rounded, WORDS), place, align=WORD_BYTES)
        return context.get_dummy_value()

    return types.void(array, types.uintp, VECTOR), emit


@operation
def broadcast(typing: Any, number: Any) -> Any:
    """The same number in every lane."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), values[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, ir.Constant(FLOATS, ir.Undefined), _constant(0))

    return VECTOR(types.float32), emit


@operation
def multiply(typing: Any, a: Any, b: Any) -> Any:
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
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """A b + c, rounded once if the processor supports it."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        a, b, c = values
        kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LANES}f32")
        return builder.call(function, [a, b, c])

    return VECTOR(VECTOR, VECTOR, VECTOR), emit


@operation
def absolute(typing: Any, a: Any) -> Any:
    """|a|."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(FLOATS, [FLOATS])
        function = cast(Any, cgutils).get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f32")
        return builder.call(function, values)

    return VECTOR(VECTOR), emit


@operation
def maximum(typing: Any, a: Any, b: Any) -> Any:
    """The larger of a and b in each lane."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *values), *values)

    return VECTOR(VECTOR, VECTOR), emit


@operation
def minimum(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of a and b in each lane."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *values), *values)

    return VECTOR(VECTOR, VECTOR), emit


@operation
def prefer_wide_vectors(typing: Any) -> Any:
    """Allow LLVM to use 512-bit registers in the calling function if that is faster; it avoids them by default."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if IS_WIDE:
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), emit


@operation
def always_inline(typing: Any) -> Any:
    """Inline the calling function into its callers, whatever its size, so that its vectors stay in registers."""

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.function.attributes.add("alwaysinline")
        return context.get_dummy_value()

    return types.void(), emit
