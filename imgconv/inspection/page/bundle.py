"""One HTML file from the script, the style and the data of a page. A content security policy lets nothing else run or load."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from json import dumps
from math import prod
from pathlib import Path
from shlex import quote
from typing import Any

from imgconv.images import Raster
from imgconv.inspection.page.photo import PagePhoto, deflated, page_photo
from imgconv.inspection.page.settings import branches, menu, modes
from imgconv.process import shape_of
from imgconv.recipe import Filter, Network, Recipe
from imgconv.registry import Registry

FOLDER = Path(__file__).parent
MAIN = "main.js"
MOST_WORK = 4e8  # multiply-adds of a network on a page, which a browser does in about half a second
MOST_VALUES = 2e7  # values in all maps of a network
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n', re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page as text; a notebook shows it in a frame that can reach nothing outside of it."""

    html: str

    def _repr_html_(self) -> str:
        frame = 'sandbox="allow-scripts allow-downloads" style="width:100%;height:56rem;border:0" title="explanation"'
        return f'<iframe srcdoc="{escape(self.html)}" {frame}></iframe>'


def explanation_page(
    image: Raster,
    recipe: Recipe,
    *,
    name: str,
    at: tuple[int, int] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    quiz: bool = False,
    references: Sequence[str] = (),
    kernels_file: Path | None = None,
) -> Page:
    """The page of `recipe` on `image`, which is called `name`; `at` (x, y) is the output pixel that it shows first.

    `crop` (x, y, width, height) is the part of the image that is used. `references` are the kernels as they were typed. Raises DoesNotFit
    and UsageError for a recipe that does not fit the photograph or that has no view on a page.
    """
    step = recipe.step
    photo = page_photo(image, grey=step.grey, crop=crop, most_cells=_most_cells(image, recipe))
    recipe.trace(shape_of(photo.image))
    data = {
        "name": _visible(name),
        "photo": photo.facts(linear=isinstance(step, Filter) and step.linear),
        "from": {"size": photo.full_size, "crop": crop, "factor": photo.factor},
        "file": quote(_visible(name)),
        "stored": photo.factor == 1 and crop is None and not image.alpha,
        "command": recipe.command if not isinstance(step, Network) else "run",
        "grey": step.grey,
        "at": None if at is None else [(cell - start) // photo.factor for cell, start in zip(at, crop or (0, 0), strict=False)],
        "branches": branches(recipe, photo, references),
        "menu": [] if isinstance(step, Network) else menu(Registry.load(kernels_file)),
        "modes": modes(),
        "quiz": quiz,
    }
    return Page(_page(data, photo))


def _most_cells(image: Raster, recipe: Recipe) -> float:
    """The most pixels of a photograph that the steps of a network finish in time."""
    step, shape = recipe.step, shape_of(image)
    if not isinstance(step, Network):
        return float("inf")
    shapes = step.shapes(shape)
    pairs = zip(step.steps, shapes, shapes[1:], strict=False)
    work = sum(each.operation.cost(before, after).multiply_adds for each, before, after in pairs)
    share = min(MOST_WORK / max(work, 1), MOST_VALUES / sum(map(prod, shapes)))
    return shape.height * shape.width * share if share < 1 else float("inf")


def _page(data: dict[str, Any], photo: PagePhoto) -> str:
    script, style = bundled_script(), (FOLDER / "page.css").read_text(encoding="utf-8")
    parts = {
        "script-hash": _csp_hash(script),
        "style-hash": _csp_hash(style),
        "style": style,
        "data": _packed(dumps(data, separators=(",", ":")).encode()),
        "photo": _packed(photo.data),
        "script": script,
    }
    html = (FOLDER / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ ([a-z-]+) \}\}", lambda match: parts[match[1]], html)


@cache
def bundled_script() -> str:
    """The modules of the page as one: each after those that it imports, without imports, exports, comments and indentation.

    Names at the top of the modules are unique, so that one scope can hold all of them.
    """
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in ordered:
            text = (FOLDER / name).read_text(encoding="utf-8")
            for imported in _IMPORT.findall(text):
                add(imported)
            ordered[name] = _without_comments(_IMPORT.sub("", text))

    add(MAIN)
    return "\n".join(ordered.values())


def _without_comments(text: str) -> str:
    """A module without what a browser does not need. Strings of modules begin on lines of their own code, never inside a comment."""
    lines = (re.sub(r"^export ", "", re.sub(r"\s+// [^'\"`]*$", "", line)).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**", "*")))


def _packed(data: bytes) -> str:
    """Deflated bytes as base64, which a script element can hold whatever they are."""
    return b64encode(deflated(data)).decode()


def _visible(name: str) -> str:
    r"""A name without control characters and without bytes that are not UTF-8.

    >>> _visible("a\nb\udcff.jpg")
    'a\\nb\\udcff.jpg'
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def _csp_hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
