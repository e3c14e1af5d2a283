"""Who may import whom. The arrows are those of the design; a new one belongs there first."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "imgconv"
EVERYONE = {"arguments", "arrays", "errors", "modes", "platforms", "window"}  # types, names and integers; nothing else can be reached
GUIDE = PACKAGE.parent / "docs" / "architecture.md"


def allowed_imports() -> dict[str, set[str]]:
    """The list of docs/architecture.md: what each package or module may import."""
    block = GUIDE.read_text().partition("<!-- arrows -->\n```text\n")[2].partition("```")[0]
    lines = [line.split() for line in block.splitlines()]
    return {own: set(others) for own, *others in lines}


ALLOWED = {"errors": set(), **allowed_imports()}
COMPILERS = {"numba", "llvmlite"}


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """The syntax tree of a file, as a list that is made once for all tests."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, as dotted names."""
    imports = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide arrows"
            imports |= {f"{node.module}.{alias.name}" for alias in node.names}
    return imports


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_arrows(path: Path) -> None:
    own = layer_of(module_of(path))
    ours = {name for name in imports_of(path) if name.split(".")[0] == "imgconv"}
    used = {
        layer_of(name) if (PACKAGE / layer_of(name)).exists() or (PACKAGE / f"{layer_of(name)}.py").exists() else "__init__"
        for name in ours
    }
    assert used - ALLOWED[own] - EVERYONE - {own} == set()


def imported_modules(path: Path) -> set[str]:
    """The modules that a file imports, also for types alone: `imgconv.batch.job` of `imgconv.batch.job.Job`."""
    modules = {module_of(each) for each in FILES if each.name != "__init__.py"}
    return {module for name in imports_of(path) for module in (name, name.rpartition(".")[0]) if module in modules}


def test_modules_do_not_import_each_other_in_circles() -> None:
    """Whoever reads a module can read those that it imports first."""
    graph = {module_of(path): imported_modules(path) for path in FILES}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_looked_up_by_functions_that_raise_no_error(path: Path) -> None:
    """Methods of Path raise PermissionError in a folder that cannot be searched (until Python 3.14)."""
    calls = (node.func for node in nodes_of(path) if isinstance(node, ast.Call))
    methods = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in ("exists", "is_dir", "is_file", "is_symlink")]
    others = {"os.path", "entry", "filesystem", "paths", "remote"}  # functions, entries of os.scandir, remote storages
    assert [text for call in methods if (text := ast.unparse(call.value)) not in others] == []


def test_no_buffer_of_bytesio_is_exported() -> None:
    """Garbage that holds such a buffer, as the traceback of a failed write does, ends CPython 3.12.1 by a segmentation fault.

    CPython 3.13 reports a BufferError from nowhere. `getvalue` copies nothing either.
    """
    assert [path for path in FILES if "getbuffer" in path.read_text()] == []


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_compilers_are_imported_in_loops_and_engine_alone(path: Path) -> None:
    used = {name.split(".")[0] for name in imports_of(path)} & COMPILERS
    assert not used or layer_of(module_of(path)) in ("loops", "engine")


@pytest.mark.parametrize(
    "library, layers",
    [
        ("PIL", {"images", "api", "api_images", "plotting"}),
        ("rich", {"cli", "display"}),
        ("typer", {"cli"}),
        ("matplotlib", {"plotting"}),
        ("jinja2", {"plotting"}),
    ],
)
def test_libraries_stay_in_their_layer(library: str, layers: set[str]) -> None:
    users = {layer_of(module_of(path)) for path in FILES if any(name.split(".")[0] == library for name in imports_of(path))}
    assert users <= layers


def test_every_layer_of_the_table_is_there() -> None:
    there = {layer_of(module_of(path)) for path in FILES}
    assert there <= set(ALLOWED)
