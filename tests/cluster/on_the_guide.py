"""The guide to clusters, every block of it. Run by name, with imgconv[dask,remote] and moto[server]."""

import shutil

from guides import ROOT, blocks, play
from services import command_path, files_below

GUIDE = ROOT / "docs" / "clusters.md"


def test_every_block_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", command_path())
    needed = {block.comment.removeprefix("needs: ") for block in blocks(GUIDE) if block.comment.startswith("needs: ")}
    assert needed == {"dask", "moto_server"} and all(shutil.which(program) for program in needed)
    folder = play(GUIDE, tmp_path, needed)
    assert files_below(folder / "whole") == files_below(folder / "dask") == files_below(folder / "local") != {}
    assert (folder / "fetched.png").stat().st_size > 0
