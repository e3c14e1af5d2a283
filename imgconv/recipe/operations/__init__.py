"""The operations of a network: everything about each of them in one place, as an `OperationType` and the class that it builds.

A class declares the output shape (`trace`), the values (`apply`), what `plan` shows (`cost`) and how `explain` explains a cell
(`arithmetic`). Functions that need NumPy or compiled loops are imported when they are called, so that reading a recipe, `--help` and
completion stay fast.
"""

from imgconv.recipe.operations import conv, deform, elementwise, morphology, pad, pool, vector
from imgconv.recipe.operations.operation import Dims, Formula, Operation, OperationType, Option, Pooled, Sums, WeightedSum

__all__ = ["OPERATIONS", "Dims", "Formula", "Operation", "OperationType", "Option", "Pooled", "Sums", "WeightedSum"]

OPERATIONS: dict[str, OperationType] = {
    operation.name: operation for module in (elementwise, pad, conv, deform, pool, morphology, vector) for operation in module.TYPES
}
