"""Quantization arithmetic on plain arrays: ranges, rounding, bias and the choice of bits.

Nothing here knows the IR; the passes of `y10c.passes.int8` feed arrays in and wire arrays back.
"""
