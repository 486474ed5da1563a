"""How well a model and a recipe judge: annotation readers, matching, metrics and bounds. No torch."""
