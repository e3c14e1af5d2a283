"""The page of an explanation: one HTML file with a photograph, its maps, and the script that computes them."""

from imgconv.inspection.page.bundle import Page, Typed, explanation_page
from imgconv.inspection.page.photo import part_of

__all__ = ["Page", "Typed", "explanation_page", "part_of"]
