"""Making of models: data sets, drawn defects, training, choice of thresholds, export to a bundle.

Needs torch and ultralytics (the `train` extra, AGPL-3.0) and is never imported by the rest.
"""
