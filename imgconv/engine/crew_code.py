"""The native half of `imgconv.engine.crew`: how threads share jobs without the interpreter, in LLVM's own language.

A job is a row of steps, a step the address of a loop's entry and of the words of a call. All is in arrays of whole numbers:

- a board, for one piece of work: the next job to be done, how many are ready, how many there will be, the jobs (of each where its steps
  begin and how many they are), whether a step failed, and how many threads may help;
- a desk, for the process, its numbers a cache line apart: the board in work or 0, the helpers at it, the helpers awake, whether it is
  taken, and the address of a function that lets other threads run, or 0. Only who has taken the desk puts a board on it, and nobody
  looks at a board but between signing in and out, so that a board may go as soon as it is off the desk and nobody is signed in.
"""

import ctypes
import os
from typing import Any

from imgconv.engine.llvm import llvm, target

AWAKE, YIELD, DESK_WORDS = 16, 32, 40  # where things are on the desk

_PAUSES = {  # what tells a processor that it waits: its declaration and its call
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}
_CODE = """
define void @rest(ptr %desk, i64 %spun) {
entry:
  PAUSE
  %low = and i64 %spun, 255
  %is.time = icmp eq i64 %low, 255
  br i1 %is.time, label %ask, label %done
ask:
  %yield.at = getelementptr i64, ptr %desk, i64 32
  %yield = load ptr, ptr %yield.at
  %is.none = icmp eq ptr %yield, null
  br i1 %is.none, label %done, label %give.way
give.way:
  %status = call i32 %yield()
  br label %done
done:
  ret void
}

define void @work(ptr %desk, ptr %board) {
entry:
  %ready = getelementptr i64, ptr %board, i64 1
  %total = getelementptr i64, ptr %board, i64 2
  %jobs.at = getelementptr i64, ptr %board, i64 3
  %jobs = load ptr, ptr %jobs.at
  %failed = getelementptr i64, ptr %board, i64 4
  br label %next
next:
  %job = atomicrmw add ptr %board, i64 1 seq_cst
  br label %ask
ask:
  %spun = phi i64 [ 0, %next ], [ %more, %wait ]
  %there = load atomic i64, ptr %ready seq_cst, align 8
  %is.there = icmp slt i64 %job, %there
  br i1 %is.there, label %begin, label %ask.on
ask.on:
  %most = load atomic i64, ptr %total seq_cst, align 8
  %is.to.come = icmp slt i64 %job, %most
  br i1 %is.to.come, label %wait, label %done
wait:
  call void @rest(ptr %desk, i64 %spun)
  %more = add i64 %spun, 1
  br label %ask
begin:
  %twice = shl i64 %job, 1
  %steps.at = getelementptr i64, ptr %jobs, i64 %twice
  %steps = load ptr, ptr %steps.at
  %count.at = getelementptr i64, ptr %steps.at, i64 1
  %count = load i64, ptr %count.at
  br label %step
step:
  %at = phi i64 [ 0, %begin ], [ %after, %went.on ]
  %is.more = icmp slt i64 %at, %count
  br i1 %is.more, label %call, label %next
call:
  %place = shl i64 %at, 1
  %loop.at = getelementptr ptr, ptr %steps, i64 %place
  %loop = load ptr, ptr %loop.at
  %words.at = getelementptr ptr, ptr %loop.at, i64 1
  %words = load ptr, ptr %words.at
  %status = call i32 %loop(ptr %words)
  %is.bad = icmp ne i32 %status, 0
  br i1 %is.bad, label %note, label %went.on
note:
  store atomic i64 1, ptr %failed seq_cst, align 8
  br label %went.on
went.on:
  %after = add i64 %at, 1
  br label %step
done:
  ret void
}

define void @open(ptr %desk, ptr %board) {
entry:
  %taken = getelementptr i64, ptr %desk, i64 24
  %pair = cmpxchg ptr %taken, i64 0, i64 1 seq_cst seq_cst
  %is.ours = extractvalue { i64, i1 } %pair, 1
  br i1 %is.ours, label %put, label %leave
put:
  store atomic ptr %board, ptr %desk seq_cst, align 8
  br label %leave
leave:
  ret void
}

define void @post(ptr %board) {
  %ready = getelementptr i64, ptr %board, i64 1
  %before = atomicrmw add ptr %ready, i64 1 seq_cst
  ret void
}

define void @close(ptr %desk, ptr %board) {
entry:
  %ready = getelementptr i64, ptr %board, i64 1
  %total = getelementptr i64, ptr %board, i64 2
  %all = load atomic i64, ptr %ready seq_cst, align 8
  store atomic i64 %all, ptr %total seq_cst, align 8
  call void @work(ptr %desk, ptr %board)
  %lies.there = load atomic ptr, ptr %desk seq_cst, align 8
  %is.ours = icmp eq ptr %lies.there, %board
  br i1 %is.ours, label %take.off, label %done
take.off:
  store atomic ptr null, ptr %desk seq_cst, align 8
  %inside = getelementptr i64, ptr %desk, i64 8
  br label %look
look:
  %spun = phi i64 [ 0, %take.off ], [ %more, %wait ]
  %there = load atomic i64, ptr %inside seq_cst, align 8
  %is.empty = icmp eq i64 %there, 0
  br i1 %is.empty, label %leave, label %wait
wait:
  call void @rest(ptr %desk, i64 %spun)
  %more = add i64 %spun, 1
  br label %look
leave:
  %taken = getelementptr i64, ptr %desk, i64 24
  store atomic i64 0, ptr %taken seq_cst, align 8
  br label %done
done:
  ret void
}

define void @help(ptr %desk, i64 %spins) {
entry:
  %inside = getelementptr i64, ptr %desk, i64 8
  %awake = getelementptr i64, ptr %desk, i64 16
  %before = atomicrmw add ptr %awake, i64 1 seq_cst
  br label %look
look:
  %idle = phi i64 [ 0, %entry ], [ %more, %wait ], [ 0, %sign.out ]
  %seen = load atomic ptr, ptr %desk monotonic, align 8
  %is.quiet = icmp eq ptr %seen, null
  br i1 %is.quiet, label %wait, label %sign.in
wait:
  call void @rest(ptr %desk, i64 %idle)
  %more = add i64 %idle, 1
  %is.long = icmp sgt i64 %more, %spins
  br i1 %is.long, label %leave, label %look
sign.in:
  %others = atomicrmw add ptr %inside, i64 1 seq_cst
  %board = load atomic ptr, ptr %desk seq_cst, align 8
  %is.gone = icmp eq ptr %board, null
  br i1 %is.gone, label %sign.out, label %ask
ask:
  %wanted.at = getelementptr i64, ptr %board, i64 5
  %wanted = load i64, ptr %wanted.at
  %is.wanted = icmp slt i64 %others, %wanted
  br i1 %is.wanted, label %join, label %sign.out
join:
  call void @work(ptr %desk, ptr %board)
  br label %sign.out
sign.out:
  %left = atomicrmw sub ptr %inside, i64 1 seq_cst
  call void @rest(ptr %desk, i64 1)
  br label %look
leave:
  %after = atomicrmw sub ptr %awake, i64 1 seq_cst
  ret void
}
"""


class Native:
    """The native calls. `open(desk, board)` puts a board on the desk, unless another is there; `post(board)` makes one job more ready;
    `close(desk, board)` does what is ready and left, and takes the board away. `help(desk, spins)` works for whoever puts a board on the
    desk, until none has been there for so long. All let go of the interpreter lock.
    """

    def __init__(self) -> None:
        machine = target().create_target_machine(opt=2)
        declaration, pause = next((p for name, p in _PAUSES.items() if machine.triple.startswith(name)), ("", ""))
        module = llvm.parse_assembly(declaration + _CODE.replace("PAUSE", pause))
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target().create_target_machine())  # owns the code
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(machine.emit_object(module)))
        self._engine.finalize_object()
        address, number = ctypes.c_void_p, ctypes.c_int64
        self.open = self._call("open", None, address, address)
        self.post = self._call("post", None, address)
        self.close = self._call("close", None, address, address)
        self.help = self._call("help", None, address, number)

    def _call(self, name: str, *types: Any) -> Any:
        return ctypes.CFUNCTYPE(*types)(self._engine.get_function_address(name))


def yield_address() -> int:
    """The C function that lets other threads run, 0 where there is none."""
    if os.name != "posix":
        return 0
    return ctypes.cast(ctypes.CDLL(None).sched_yield, ctypes.c_void_p).value or 0
