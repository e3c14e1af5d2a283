"""Machine code of loops for processors other than that of this machine. It is emitted, but not run.

`python tests/targets.py` compiles every loop as warmup and the layers call it, emits it for every target, and prints how many forms of each
loop there were. Set IMGCONV_CACHE to an empty folder, since cached loops are not compiled.
"""

import json
import sys
from collections import Counter

import llvmlite.binding as llvm
import numpy as np

from imgconv.api import filter, pool
from imgconv.cli import warmup
from imgconv.engine import compiler, object_code
from imgconv.functional.conv import conv2d, conv2d_weight
from imgconv.functional.deform_conv import deform_conv2d
from imgconv.functional.patches import fold, unfold

X86, ARM = (62).to_bytes(2, "little"), (183).to_bytes(2, "little")  # machines in the header of an ELF file
TARGETS = {
    "x86-64-v2": ("x86_64-unknown-linux-gnu", "x86-64-v2", X86),
    "x86-64-v3": ("x86_64-unknown-linux-gnu", "x86-64-v3", X86),
    "aarch64": ("aarch64-unknown-linux-gnu", "generic", ARM),
}


def check_machine_code(module, target):
    """Emit a loop's module for a target; fail if it is not valid, or if the result is not an object file for that processor."""
    triple, cpu, machine = TARGETS[target]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    emitter = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3, reloc="pic", codemodel="default")
    module = module.clone()
    module.triple, module.data_layout = triple, str(emitter.target_data)
    module.verify()
    code = emitter.emit_object(module)
    assert code[:4] == b"\x7fELF" and code[18:20] == machine and b"imgconv_loop" in code, target


def main():
    """Compile every loop and print how many forms each of them has."""
    compiler.self_check()
    forms, emit, fingerprint = Counter(), compiler.emit, object_code.fingerprint

    def emit_for_all(function, signature):
        for target in TARGETS:
            check_machine_code(compiler.module_of(function, signature), target)
        return emit(function, signature)

    def counted(function, constants, signature):
        forms[function.__name__] += 1
        return fingerprint(function, constants, signature)

    compiler.emit, object_code.fingerprint = emit_for_all, counted
    warmup.command(quiet=True)
    maps, weight = np.ones((1, 2, 9, 9), np.float32), np.ones((2, 2, 3, 3), np.float32)
    holes = np.ma.masked_less(np.arange(243, dtype=np.float32).reshape(9, 9, 3), 15)
    filter(holes, "gaussian5")
    filter(holes, "sharpen8")
    filter(np.ones((40, 40), np.uint8), np.random.default_rng(0).random((25, 25)))
    pool(holes.data, 3, "median", mask=np.eye(9))
    for dtype in (np.uint8, np.float32):
        pool(np.ones((80, 80), dtype), 31, "median", stride=1, padding="same")
        pool(np.ones((80, 80), dtype), window="disk:radius=6", mode="median")
        pool(np.ones((80, 80), dtype), 3, "std")
    pool(np.ma.masked_less(np.arange(81.0).reshape(9, 9), 5), 3, "avg")
    fold(unfold(maps, 3), (9, 9), 3)
    conv2d(maps, weight[:, :1], groups=2)
    conv2d_weight(maps, (2, 1, 3, 3), np.ones((1, 2, 7, 7), np.float32), groups=2)
    conv2d_weight(np.ones((1, 64, 16, 16), np.float32), (64, 64, 3, 3), np.ones((1, 64, 14, 14), np.float32))
    deform_conv2d(maps, np.ones((1, 18, 7, 7), np.float32), weight)
    sys.stdout.write(json.dumps(forms))


if __name__ == "__main__":
    main()
