"""The plan of a network: what each step makes of shapes, how much work it is, and how far its cells see."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, prod

from imgconv.functional.chosen import layer_algorithm
from imgconv.recipe import Network
from imgconv.recipe.layers import Convolution, Linear, Transposed
from imgconv.recipe.operations import Combine, Flatten, Grey, Normalize, Operation, Scale
from imgconv.recipe.reductions import AdaptiveReduction, Reduction
from imgconv.study.geometry import Sight, Sliding, padding_name, size_formulas, transposed_formulas
from imgconv.study.planned import PlannedStep

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _State:
    """Where a plan has got to: the shape so far, what its cells see along each axis, and whether that is the whole picture."""

    shape: Shape
    picture: tuple[int, int]
    sight: tuple[Sight, Sight] = field(default_factory=lambda: (Sight(), Sight()))
    whole: bool = False

    @property
    def receptive_field(self) -> tuple[int, int]:
        return self.picture if self.whole else (ceil(self.sight[0].cells), ceil(self.sight[1].cells))

    def through(self, spans: Sequence[int], strides: Sequence[Fraction | int]) -> "_State":
        height, width = (sight.through(span, stride) for sight, span, stride in zip(self.sight, spans, strides, strict=True))
        return replace(self, sight=(height, width))


def plan_network(network: Network, shape: tuple[int, int, int]) -> list[PlannedStep]:
    """Every step of `network` for pictures of `shape` (C, H, W), in float32. Raises DoesNotFit where a step does not fit."""
    state, planned = _State(shape, shape[1:]), []
    for step, dims in zip(network.steps, network.trace_steps(shape), strict=True):
        made = tuple(size or 0 for size in dims)
        state, told = _planned(step.operation, state, PlannedStep(step.text, state.shape, made))
        planned.append(replace(told, receptive_field=state.receptive_field))
        state = replace(state, shape=made)
    return planned


def _planned(operation: Operation, state: _State, step: PlannedStep) -> tuple[_State, PlannedStep]:
    if isinstance(operation, Convolution):
        return _convolution(operation, state, step)
    if isinstance(operation, Transposed):
        return _transposed(operation, state, step)
    if isinstance(operation, Reduction):
        return _slid(operation.window, state, step, multiply_adds=0)
    if isinstance(operation, AdaptiveReduction):
        return _adaptive(state, step)
    if isinstance(operation, Linear):
        parameters = operation.weight.size + (0 if operation.bias is None else operation.bias.size)
        work = operation.weight.size * prod(step.input[:-1])
        return replace(state, whole=True), replace(step, parameters=parameters, multiply_adds=work, algorithm="linear")
    if isinstance(operation, Grey) and step.input[0] > 1:
        return state, replace(step, multiply_adds=prod(step.input))
    counted = prod(step.input) if isinstance(operation, Scale | Normalize | Combine) else 0
    return replace(state, whole=state.whole or isinstance(operation, Flatten)), replace(step, multiply_adds=counted)


def _slid(window: Sliding, state: _State, step: PlannedStep, *, multiply_adds: int) -> tuple[_State, PlannedStep]:
    size = step.input[1:]
    pads = window.pads(size)
    sizes, name = size_formulas(window, size, pads), padding_name(window, pads)
    return state.through(window.span, window.stride), replace(step, sizes=sizes, padding=name, multiply_adds=multiply_adds)


def _convolution(operation: Convolution, state: _State, step: PlannedStep) -> tuple[_State, PlannedStep]:
    weight, window, channels = operation.weight, operation.window, step.input[0]
    alone = operation.each_channel
    groups = channels if operation.groups is None else operation.groups
    seen: Shape = (1, *step.input[1:]) if alone else step.input
    chosen = layer_algorithm(seen, weight.shape, window, 1 if alone else groups)
    work = step.output[0] * weight.shape[1] * window.multiply_adds(step.input[1:])
    state, step = _slid(window, state, step, multiply_adds=work)
    return state, replace(step, parameters=_learnt(operation), algorithm="unfolded" if chosen == "product" else chosen)


def _learnt(operation: Convolution | Transposed) -> int:
    return int(operation.weight.size) + (0 if operation.bias is None else int(operation.bias.size))


def _transposed(operation: Transposed, state: _State, step: PlannedStep) -> tuple[_State, PlannedStep]:
    """Every input cell lays a whole kernel down, so that work is counted in input cells."""
    window, size = operation.window, step.input[1:]
    pads = window.pads((1, 1))
    reach = [-(-span // stride) for span, stride in zip(window.span, window.stride, strict=True)]
    outputs = step.output[0] // step.input[0] if operation.each_channel else operation.weight.shape[1]
    told = replace(
        step,
        sizes=transposed_formulas(window, size, operation.output_padding, pads),
        padding="transposed",
        parameters=_learnt(operation),
        multiply_adds=prod(step.input) * outputs * prod(window.kernel_size),
        algorithm="adjoint",
    )
    return state.through(reach, [Fraction(1, stride) for stride in window.stride]), told


def _adaptive(state: _State, step: PlannedStep) -> tuple[_State, PlannedStep]:
    """Windows that share the input out: the widest counts for the receptive field."""
    sizes = [f"{made} windows over {given} cells" for given, made in zip(step.input[1:], step.output[1:], strict=True)]
    spans = [max(-(-(j + 1) * n // out) - j * n // out for j in range(out)) for n, out in zip(step.input[1:], step.output[1:], strict=True)]
    strides = [Fraction(given, made) for given, made in zip(step.input[1:], step.output[1:], strict=True)]
    return state.through(spans, strides), replace(step, sizes=tuple(sizes), padding="adaptive")
