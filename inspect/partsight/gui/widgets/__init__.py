"""Widgets that several pages use; each takes what it shows, none knows a page."""
