"""Views to verdict: `decide(views, recipe)` is pure; a recipe is compiled once from its file."""

from partsight.recipes.decide import decide
from partsight.recipes.recipe import Recipe, compile_recipe, load_recipe

__all__ = ["Recipe", "compile_recipe", "decide", "load_recipe"]
