"""A runtime whose calls spin for a known time, for Python and for a page."""
