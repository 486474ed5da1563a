"""The recipe: thresholds and regions, their effect on the last parts, and its versions."""
