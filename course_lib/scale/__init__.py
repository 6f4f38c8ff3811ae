"""Training at scale: the papers' recipes, on one device or many, with checkpoints and recorded results (chapter 9)."""

from course_lib.scale.recipe import Recipe, WarmUp, load_recipe, names
from course_lib.scale.run import Curve, Result, Stopped, recorded, train

__all__ = ["Curve", "Recipe", "Result", "Stopped", "WarmUp", "load_recipe", "names", "recorded", "train"]
