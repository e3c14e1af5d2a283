"""Drawings of results: figures, animations, terminal previews and the report page."""
