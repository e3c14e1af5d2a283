"""`imgconv warmup` compiles what edge, filter and pool need, and keeps all of it."""

from command import imgconv


def test_every_loop_is_compiled_once_and_kept():
    first = imgconv("warmup", timeout=300)
    assert first.code == 0 and first.out == b""
    assert "C library" not in first.err  # a loop that could not be kept says so
    second = imgconv("warmup", timeout=300)
    assert second.err.startswith("0 loops compiled")
    assert imgconv("warmup", "-q").err == ""
