"""What the tests of the page of an explanation share."""

import pytest


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    """A tab of a Chromium, which is started once for each file."""
    from browser import browsing

    with browsing(tmp_path_factory.mktemp("profile")) as page:
        page.resize(1280, 900)
        yield page
