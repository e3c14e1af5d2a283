"""The page of an explanation: one HTML file with a photograph, its maps, and the script that computes them."""

from imgconv.inspection.page.bundle import Page, explanation_page

__all__ = ["Page", "explanation_page"]
