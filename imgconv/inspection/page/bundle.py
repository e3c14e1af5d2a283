"""One HTML file from the script, the style and the data of a page. A content security policy lets nothing else run or load."""

import os
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from json import dumps
from math import floor, prod
from pathlib import Path, PurePath
from shlex import quote
from typing import Any

from imgconv.atomic import format_of, output_file
from imgconv.display.web import document_head
from imgconv.display.words import visible
from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster
from imgconv.inputs import Inputs
from imgconv.inspection.page.photo import PagePhoto, deflated, page_photo, transfer_facts
from imgconv.inspection.page.settings import branches, menu, modes
from imgconv.modes import AlphaRule, MissingRule
from imgconv.process import shape_of
from imgconv.process.missing import located
from imgconv.recipe import Canny, Filter, Network, Recipe
from imgconv.recipe.references import MapPlan
from imgconv.registry import Kernel, Registry, resolve

FOLDER = Path(__file__).parent
MAIN, START = "main.js", "start.js"
LARGEST = 400_000  # bytes of a page
FACTS = 2_000  # bytes of what a page states about its photograph
LEAST_PHOTO = 20_000  # bytes that the settings must leave
MOST_WORK = 4e8  # multiply-adds of a network on a page, which a browser does in about half a second
MOST_VALUES = 2e7  # values in all maps of a network
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+\.js)";\n', re.MULTILINE)


@dataclass(frozen=True, repr=False)
class Page:
    """A page as text. A notebook shows it in a frame that can reach nothing outside of it."""

    html: str

    @property
    def kilobytes(self) -> int:
        """The size of the file."""
        return round(len(self.html.encode()) / 1000)

    def write(self, output: str | Path, inputs: Inputs | None = None) -> None:
        """Write the page to an .html file. Raises UsageError for another name and for one of `inputs`, ImageError where that fails."""
        format_of(Path(output), ["html"], "output")
        with output_file(Path(output), inputs or Inputs()) as stream:
            stream.write(self.html.encode())

    def __repr__(self) -> str:
        return f"a page of {self.kilobytes} KB; a notebook shows it, and html is its text"

    def _repr_html_(self) -> str:
        frame = 'sandbox="allow-scripts allow-downloads" style="width:100%;height:56rem;border:0" title="explanation"'
        return f'<iframe srcdoc="{escape(self.html)}" {frame}></iframe>'


@dataclass(frozen=True)
class Typed:
    """What was typed for a page, which names it in command lines: the references of kernels, and the files of kernels and of the mask.

    `plain` says that the image is read without options, so that a command line can name its file.
    """

    references: Sequence[object] = ()
    kernels_file: Path | None = None
    mask: str | None = None
    plain: bool = True


def explanation_page(
    image: Raster,
    recipe: Recipe,
    typed: Typed | None = None,
    *,
    source: str,
    frames: int = 1,
    at: tuple[int, int] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    quiz: bool = False,
) -> Page:
    """The page of `recipe` on `image`, the first of the `frames` of `source`.

    It shows the output pixel `at` (x, y) first. `crop` (x, y, width, height) is the part of the image that is used.
    Raises DoesNotFit and UsageError for a recipe that does not fit the photograph or that has no view on a page.
    """
    typed, (grey, alpha) = typed or Typed(), _form(image, recipe)
    image = located(image, recipe.missing_data)
    settings = _settings(image, recipe, typed, source, frames, quiz=quiz)
    most_bytes = _room_for_photo(settings)
    photo = page_photo(image, grey=grey, alpha=alpha, crop=crop, most_bytes=most_bytes, most_cells=_most_cells(image, recipe))
    recipe.trace(shape_of(photo.image))
    has_files = _is_file(source) and _has_mask(recipe, typed.mask)
    facts = {
        "photo": photo.facts(),
        "from": {"size": image.size, "crop": crop, "factor": photo.factor, "reduced": photo.is_reduced},
        "stored": typed.plain and frames == 1 and has_files and _is_as_stored(photo, image),
        "luma": grey and image.channels - image.alpha > 1,
        "at": None if at is None else _cell_of(at, image, photo, recipe),
    }
    return Page(_page(settings | facts, photo.data))


def _form(image: Raster, recipe: Recipe) -> tuple[bool, bool]:
    """Whether the photograph of a page is grey, and whether it has alpha; a map of grey is drawn over colours."""
    grey = recipe.step.grey and not recipe.postprocess.overlay
    return grey, image.alpha and (isinstance(recipe.step, Network) or AlphaRule(recipe.step.alpha).keeps(grey=grey))


def _settings(image: Raster, recipe: Recipe, typed: Typed, source: str, frames: int, *, quiz: bool) -> dict[str, Any]:
    """What the script needs of the recipe, the registry and the names of files."""
    step, overlay, (grey, alpha) = recipe.step, recipe.postprocess.overlay, _form(image, recipe)
    registry = Registry.load(typed.kernels_file)
    mode, least = MissingRule() if isinstance(step, Canny) else step.rule  # canny has no such option
    return {
        "name": visible(PurePath(source).name or source),
        "rule": {"mode": mode, "least": least, "alpha": step.alpha},
        "transfer": transfer_facts(image) if isinstance(step, Filter) and step.linear else None,
        "file": quote(source),
        "missing": _missing_words(recipe, typed.mask),
        "kernelsFile": None if typed.kernels_file is None else quote(str(typed.kernels_file)),
        "command": "run" if isinstance(step, Network) else recipe.command,
        "grey": grey,
        "overlay": overlay,
        "overBlack": image.alpha and not alpha,
        "frames": frames,
        "coloured": overlay and step.grey,
        "branches": branches(recipe, image.pixels.dtype, _named(recipe, typed.references, registry)),
        "menu": [] if isinstance(step, Network) else menu(registry),
        "modes": modes(grey=grey),
        "quiz": quiz,
    }


def _room_for_photo(settings: dict[str, Any]) -> float:
    """How many deflated bytes of a photograph a page with these settings can hold. Raises UsageError if there are too few."""
    values = (value for specs in settings["branches"] for spec in specs for value in spec.values())
    size = sum(len(value["data"]) for value in values if isinstance(value, dict) and "data" in value)
    if size < LARGEST:  # it takes long to deflate megabytes
        size = len(_page(settings, b"").encode()) + FACTS
    if size + LEAST_PHOTO > LARGEST:
        sizes = f"{size // 1000} KB with the weights, and may have {LARGEST // 1000} KB"
        raise UsageError(f"the page would have {sizes}; explain fewer steps, or steps with fewer weights")
    return (LARGEST - size) * 3 / 4  # base64 takes a third more


def _is_as_stored(photo: PagePhoto, image: Raster) -> bool:
    """Whether a command line that reads the file gets the pixels of the photograph; grey of colours may be a luma of the file's own."""
    return photo.is_whole and (image.luma is None or photo.image.channels == 1)


def _is_file(name: str) -> bool:
    return name.isprintable() and os.path.isfile(name)


def _has_mask(recipe: Recipe, mask: str | None) -> bool:
    """Whether the mask of a recipe, if it has one, is a file that a command line can name."""
    return recipe.missing_data.mask is None or (mask is not None and _is_file(mask))


def _missing_words(recipe: Recipe, mask: str | None) -> str:
    """The options that say which cells of the file are missing."""
    nodata = recipe.missing_data.nodata
    words = [] if nodata == "auto" else [f"--nodata {nodata if nodata == 'none' else format(nodata, '.17g')}"]
    return " ".join(words if mask is None else [*words, f"--mask {quote(mask)}"])


def _named(recipe: Recipe, references: Sequence[object], registry: Registry) -> list[str | None]:
    """The reference of every map of a filter, or of the window of a pool: as it was typed, or its name if the registry has it."""
    maps, names = getattr(recipe.step, "maps", ()), registry.names()
    if len(references) == len(maps) or not maps:
        return [reference if isinstance(reference, str) else None for reference in references]
    return [plan.name if plan.name in names else _member_reference(plan, registry) for plan in maps]


def _member_reference(plan: MapPlan, registry: Registry) -> str | None:
    """The reference of one kernel of a bank, such as `relief:angle=45`, or None if its numbers are not those of the registry."""
    name, _, angle = plan.kernels[0].name.partition("-angle-")
    if len(plan.kernels) > 1 or name not in registry.names() or not (angle or "0").isdigit():
        return None
    reference = f"{name}:angle={angle}" if angle else name
    kernel = resolve(reference, registry)
    is_same = isinstance(kernel, Kernel) and kernel.range == plan.range and _facts_of(kernel) == _facts_of(plan.kernels[0])
    return reference if is_same else None


def _facts_of(kernel: Kernel) -> tuple[object, ...]:
    return kernel.taps.tolist(), kernel.divisor, kernel.offset, kernel.bias, kernel.anchor


def _cell_of(at: tuple[int, int], image: Raster, photo: PagePhoto, recipe: Recipe) -> tuple[int, int]:
    """The output cell (x, y) of the page whose window is where that of the pixel `at` is in the whole image.

    Raises DoesNotFit for a pixel outside of the output, or of the part that is used.
    """
    (_, whole), (_, shown) = recipe.trace(shape_of(image))[-1], recipe.trace(shape_of(photo.image))[-1]
    x, y, width, height = photo.crop or (0, 0, image.size[1], image.size[0])
    axes = ((at[0], whole.width, image.size[1], x, width, shown.width), (at[1], whole.height, image.size[0], y, height, shown.height))
    cells = [floor(((cell + 0.5) * size / out - start) / part * new) for cell, out, size, start, part, new in axes]
    if not all(0 <= cell < out for cell, out in zip(at, (whole.width, whole.height), strict=True)):
        raise DoesNotFit(f"pixel {at[0]},{at[1]} lies outside the output, which is {whole.width} wide and {whole.height} high")
    if not all(0 <= cell < new for cell, (*_, new) in zip(cells, axes, strict=True)):
        raise DoesNotFit(f"pixel {at[0]},{at[1]} lies outside the part of the image that is used; choose another --at or --crop")
    return cells[0], cells[1]


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


def _page(data: dict[str, Any], photo: bytes) -> str:
    start, script, style = bundled(START), bundled(MAIN), (FOLDER / "page.css").read_text(encoding="utf-8")
    parts = {
        "head": document_head("Convolution, cell by cell", style, start, script),
        "data": _packed(dumps(data, separators=(",", ":")).encode()),
        "photo": _packed(photo),
        "script": _packed_script(),
        "start": start,
    }
    html = (FOLDER / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ ([a-z-]+) \}\}", lambda match: parts[match[1]], html)


@cache
def _packed_script() -> str:
    return _packed(bundled(MAIN).encode())


@cache
def bundled(main: str) -> str:
    """A module and those that it needs as one: each after those that it imports, without imports, exports, comments and indentation.

    Names at the top of the modules are unique, so that one scope can hold all of them.
    """
    ordered: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in ordered:
            text = (FOLDER / name).read_text(encoding="utf-8")
            for imported in _IMPORT.findall(text):
                add(imported)
            ordered[name] = _without_comments(_IMPORT.sub("", text))

    add(main)
    return "\n".join(ordered.values())


def _without_comments(text: str) -> str:
    """A module without what a browser does not need. Strings of modules begin on lines of their own code, never inside a comment."""
    lines = (re.sub(r"^export ", "", re.sub(r"\s+// [^'\"`]*$", "", line)).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**", "*")))


def _packed(data: bytes) -> str:
    """Deflated bytes as base64, which a script element can hold whatever they are."""
    return b64encode(deflated(data)).decode()
