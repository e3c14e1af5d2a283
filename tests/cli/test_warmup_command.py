"""`imgconv warmup` compiles what images need, and keeps all of it."""

import os
import re

import pytest
from command import SAMPLES, imgconv

pytestmark = pytest.mark.exhaustive  # compiles every loop: a minute of both cores


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """An environment whose cache was empty before `warmup`, and what that said."""
    env = {**os.environ, "IMGCONV_CACHE": str(tmp_path_factory.mktemp("cache"))}
    return env, imgconv("warmup", env=env, timeout=300)


def cached(env):
    """How many loops are cached, after `warmup`, which had none to compile."""
    message = imgconv("warmup", env=env).err
    assert message.startswith("0 loops compiled")
    return int(re.search(r"(\d+) cached", message)[1])


def test_every_loop_is_compiled_once_and_cached(fresh):
    env, first = fresh
    assert first.code == 0 and first.out == b""
    assert "C library" not in first.err  # a loop that could not be cached is reported
    assert first.err.startswith(f"{cached(env)} loops compiled")
    assert imgconv("warmup", "-q", env=env).err == ""


COMMANDS = [
    ("edge", "coffee.jpg"),
    ("filter", "chelsea.jpg", "-k", "gaussian:sigma=3"),
    ("pool", "ramp_16bit.png", "--size", "2", "--mode", "avg"),
    ("pool", "camera.png", "--size", "5", "--mode", "median"),
    ("canny", "coffee.jpg"),
    ("run", "camera.png", "-s", "conv gaussian5 padding=2", "-s", "conv kirsch stride=2", "-s", "relu", "-s", "max_pool 3 2"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_nothing_is_left_to_compile(words, fresh, tmp_path):
    env, _ = fresh
    before = cached(env)
    command, image, *options = words
    assert imgconv(command, SAMPLES / image, *options, "-o", tmp_path, "-q", env=env).code == 0
    assert cached(env) == before
