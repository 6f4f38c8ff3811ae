"""What a notebook takes for granted and no Python process has: display, input, get_ipython, google.colab.

While an answer is graded they are there and harmless. The answer's process runs this, never the grader's own code.
"""

import sys
from types import ModuleType


class Nothing:
    """Whatever is asked of it, it does nothing, and gives itself back."""

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_, **__):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def __iter__(self):
        return iter(())

    def __bool__(self) -> bool:
        return False


class _Files(Nothing):
    def upload(self, *_, **__):
        raise RuntimeError("no file can be uploaded while grading: an answer may read only what the course ships")


def names() -> dict[str, object]:
    """The names of a notebook's kernel, for the namespace of an answer; makes ``import google.colab`` work."""
    for path in ("google", "google.colab"):
        if path not in sys.modules:
            sys.modules[path] = module = ModuleType(path)
            module.__path__ = []  # a package
    colab = {"files": _Files(), **dict.fromkeys(("auth", "data_table", "drive", "output", "userdata", "widgets"), Nothing())}
    google, package = sys.modules["google"], sys.modules["google.colab"]
    google.colab = package
    vars(package).update(colab)
    sys.modules.update({f"google.colab.{name}": part for name, part in colab.items()})
    return {"display": Nothing(), "get_ipython": lambda: Nothing(), "input": lambda prompt="": ""}
