"""Kept pictures of a part: loaded in the background, with zoom, pan and boxes."""
