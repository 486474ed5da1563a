"""The gallery of the last rejected and doubtful parts, and one of them in full."""
