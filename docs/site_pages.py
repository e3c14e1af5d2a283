"""Adds to the documentation site what is written elsewhere: the README, pages outside docs/, the commands, and the Python reference.

MkDocs calls the functions `on_*`: https://www.mkdocs.org/user-guide/configuration/#hooks
"""

import os
import re
from importlib import import_module
from pathlib import Path

from commands import commands
from mkdocs.structure.files import File

import imgconv

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "benchmarks/README.md": "benchmarks.md"}  # files of the repository and their places in the site
PAGES |= {name: name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")}
LINK = re.compile(r"\]\(([^):#]+)(#[^)]*)?\)")
PYTHON = {
    "Images": "imgconv.api",
    "Plans and explanations": "imgconv.inspection",
    "Figures": "imgconv.plotting",
    "Learning": "imgconv.fitting",
    "Kernels": "imgconv.registry",
    "Arrays": "imgconv.functional",
    "Gradients": "imgconv.gradients",
    "Layers": "imgconv.layers",
    "Errors": "imgconv.errors",
}


def on_config(config):
    """Add the guides that the navigation does not name."""
    sections = {title: pages for entry in config.nav if isinstance(entry, dict) for title, pages in entry.items()}
    named = {page for pages in sections.values() for page in pages}
    sections["Guides"] += sorted({path.name for path in Path(config.docs_dir).glob("*.md")} - named)
    return config


def on_files(files, config):
    """Add the pages that are not files of docs/, and the images that they show."""
    pages = {name: (ROOT / source).read_text() for source, name in PAGES.items()}
    for source, name in PAGES.items():
        for image in re.findall(r"!\[[^]]*\]\(([^):]+)\)", pages[name]):
            path = _path(source, image)
            if files.get_file_from_path(_place(path)) is None:
                files.append(File.generated(config, _place(path), abs_src_path=str(ROOT / path)))
    for name, text in (pages | {"commands.md": command_page(), "python.md": python_page()}).items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Point links at the pages and images of the site, and links to other files at the repository."""
    source = next((source for source, name in PAGES.items() if name == page.file.src_uri), f"docs/{page.file.src_uri}")

    def pointed(link):
        path = _path(source, link[1])
        if files.get_file_from_path(_place(path)) is None:
            return f"]({config.extra['repository']}/blob/main/{path})"
        return f"]({os.path.relpath(_place(path), Path(page.file.src_uri).parent)}{link[2] or ''})"

    return LINK.sub(pointed, markdown)


def command_page():
    """Every command with its arguments, options and examples."""
    parts = ["# Commands\n"]
    for command in commands():
        parts += [f"## {command.name}\n", f"```text\n{command.usage} [OPTIONS]\n```\n", f"{command.help}\n"]
        sections = {}
        for option in (*command.arguments, *command.options):
            names = f"{', '.join(option.names)} {option.takes}".strip()
            sections.setdefault(option.section, []).append((names, option.help))
        for title, records in (sections | command.sections).items():
            parts.append(f"**{title}**\n")
            parts += [f"`{name}`\n:   {_inline(text)}\n" for name, text in records if text]
        parts.append("\n".join(["**Examples**\n", "```sh", *command.examples, "```\n"]))
    return "\n".join(parts)


def python_page():
    """Every public name with its documentation, which mkdocstrings reads where `:::` stands."""
    parts = ["# Python\n"]
    for title, package in PYTHON.items():
        module = import_module(package)
        public = sorted(name for name in imgconv.__all__ if getattr(getattr(imgconv, name), "__module__", "").startswith(package))
        names = [f"imgconv.{name}" for name in public] or [f"{package}.{name}" for name in module.__all__]
        parts += [f"## {title}\n", f"{module.__doc__}\n", *(f"::: {name}\n" for name in names)]
    return "\n".join(parts)


def _path(source, link):
    """The path within the repository that a link in a file of the repository leads to."""
    return os.path.normpath(Path(source).parent / link)


def _place(path):
    """The place of a file of the repository in the site."""
    return PAGES.get(path, path.removeprefix("docs/"))


def _inline(text):
    return " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*")
