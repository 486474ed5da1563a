"""The line view: live pictures, the verdict of the last part, figures, how everything is, and the line's buttons."""
