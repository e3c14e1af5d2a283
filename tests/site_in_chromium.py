"""The documentation site in a real Chromium, after `mkdocs build`: `python -m pytest tests/site_in_chromium.py`; fails without either."""

import html
import inspect
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter

import pytest
from commands import commands
from guides import GUIDES, ROOT
from processes import wait_for

import imgconv

SITE = ROOT / "site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))


class Handler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    """The site on a local port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def text_of(name):
    """The text of a page of the site without its tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", (SITE / name).read_text()))


def test_every_guide_is_a_page_that_the_navigation_leads_to():
    navigation = (SITE / "commands.html").read_text().partition('<div class="md-content"')[0]
    assert {f"{guide.stem}.html" for guide in GUIDES} <= set(re.findall(r'href="([\w-]+\.html)"', navigation))


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_every_command_with_its_options_and_examples(command):
    text = text_of("commands.html").partition(f"\n{command.usage} [OPTIONS]")[2].partition(" [OPTIONS]")[0]
    assert all(", ".join(option.names) in text for option in command.options)
    assert all(example in text for example in command.examples)


@pytest.mark.parametrize("name", [name for name in imgconv.__all__ if name not in ("__version__", "functional", "gradients", "layers")])
def test_every_public_name_with_its_documentation(name):
    assert f'id="imgconv.{name}"' in (SITE / "python.html").read_text()


@pytest.mark.parametrize("name", ["filter", "plan", "conv2d", "Kernel", "layers.Conv2d", "layers.MaxPool2d"])
def test_parameters_stand_in_the_signature(name):
    _, _, after = (SITE / "python.html").read_text().partition(f'id="imgconv.{name}"')
    signature = html.unescape(re.sub(r"<[^>]*>", "", after[: after.index("</pre>")]))
    assert list(inspect.signature(attrgetter(name)(imgconv)).parameters) == re.findall(r"^ +(\w+):", signature, re.MULTILINE)


@pytest.mark.parametrize("name", PAGES)
def test_pages_load_without_errors_and_without_the_network(tab, address, name):
    tab.visit(f"{address}/{name}")
    assert [event["entry"]["text"] for event in tab.events("Log.entryAdded")] == []
    assert tab.events("Runtime.exceptionThrown") == []
    addresses = {event["request"]["url"] for event in tab.events("Network.requestWillBeSent")}
    assert {each for each in addresses if not each.startswith((address, "data:", "blob:"))} == set()


@pytest.mark.parametrize("scheme, is_light", [("light", True), ("dark", False)])
def test_colours_follow_the_system(tab, address, scheme, is_light):
    tab.colours(scheme)
    tab.visit(f"{address}/index.html")
    levels = re.findall(r"[\d.]+", tab.value("getComputedStyle(document.body).backgroundColor"))[:3]
    assert (sum(map(float, levels)) > 3 * 128) == is_light


@pytest.mark.parametrize(
    "words, place", [("max_pool2d", "python.html"), ("padding-mode", "commands.html"), ("median noise", "pooling.html")]
)
def test_search_finds(tab, address, words, place):
    tab.visit(f"{address}/index.html")
    tab.value("document.querySelector('[data-md-component=search-query]').focus()")
    tab.write(words)
    links = "[...document.querySelectorAll('.md-search-result__link')].map(link => link.href).join(' ')"
    wait_for(lambda: place in tab.value(links))
