"""Loops compile to machine code for processors other than that of this machine.

On x86, LLVM optimises counters of owners to instructions of x86. Loops in which Numba leaves such counters, as in canny, cannot be emitted
for ARM64 from the module of an x86 machine.
"""

import llvmlite.binding as llvm
import numpy as np
import pytest

from imgconv.engine.compiler import compile_loop, module_of
from imgconv.engine.signature import Signature
from imgconv.loops import filters, layers, pooling

X86, ARM = (62).to_bytes(2, "little"), (183).to_bytes(2, "little")  # machines in the header of an ELF file
TARGETS = {
    "x86-64-v2": ("x86_64-unknown-linux-gnu", "x86-64-v2", X86),
    "x86-64-v3": ("x86_64-unknown-linux-gnu", "x86-64-v3", X86),
    "aarch64": ("aarch64-unknown-linux-gnu", "generic", ARM),
}
BYTES, FLOATS, NUMBERS = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.float32), np.zeros(9, np.int64)
LOOPS = {
    "small": (
        filters.correlate_small(height=3, width=3, channels=1, divided=0),
        (BYTES, np.zeros((3, 3), np.int16), np.zeros(6, np.float32), BYTES, 0),
    ),
    "taps": (
        filters.correlate_taps(divided=1),
        (BYTES, NUMBERS, NUMBERS, FLOATS[0], FLOATS[0], np.zeros(6, np.float32), BYTES, 1),
    ),
    "pairs": (pooling.halve_pairs(bits=8), (BYTES, BYTES, 1)),
    "patches": (layers.gather_patches, (FLOATS[0], NUMBERS, NUMBERS, np.zeros((2, 9, 9), np.float32))),
}


@pytest.fixture(scope="module")
def modules():
    """The module of each loop, as Numba optimised it for this machine."""
    compiled = {}
    for name, (function, arguments) in LOOPS.items():
        signature = Signature.of(arguments)
        compiled[name] = module_of(compile_loop(function, signature), signature)
    return compiled


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("target", TARGETS)
def test_machine_code_for_other_processors(modules, target, loop):
    triple, cpu, machine = TARGETS[target]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    emitter = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3, reloc="pic", codemodel="default")
    module = modules[loop].clone()
    module.triple, module.data_layout = triple, str(emitter.target_data)
    module.verify()
    code = emitter.emit_object(module)
    assert code[:4] == b"\x7fELF" and code[18:20] == machine and b"imgconv_loop" in code
