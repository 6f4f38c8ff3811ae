"""What a notebook takes for granted and no Python process has: display, input, IPython, tqdm, google.colab.

While an answer is graded they are there and harmless. The answer's process runs this, never the grader's own code.
"""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

PACKAGES = {
    "IPython": ("core", "core.display", "core.getipython", "core.interactiveshell", "core.magic", "display", "utils"),
    "ipywidgets": ("widgets",),
    "tqdm": ("auto", "autonotebook", "notebook", "std"),
}


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


class Bar(Nothing):
    """A progress bar of tqdm that shows nothing: what it is put around."""

    def __init__(self, iterable=None, *_, **__):
        self.iterable = () if iterable is None else iterable

    def __iter__(self):
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __bool__(self) -> bool:
        return True

    @staticmethod
    def write(*_, **__) -> None:
        pass


class _Files(Nothing):
    def upload(self, *_, **__):
        raise RuntimeError("no file can be uploaded while grading: an answer may read only what the course ships")


KNOWN = {
    "IPython": {"version_info": (9, 0, 0)},  # matplotlib asks for it
    "tqdm": {"tqdm": Bar, "tqdm_notebook": Bar, "trange": lambda *numbers, **_: Bar(range(*numbers))},
}


class _Empty(ModuleType):
    """A package of nothing: whatever is imported from it does nothing."""

    def __init__(self, path: str):
        super().__init__(path)
        self.__spec__ = ModuleSpec(path, None, is_package=True)
        self.__path__ = []

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()


def _put(path: str, **known) -> None:
    """Let a package or module of nothing, but for what is known, be found by its name."""
    sys.modules[path] = module = _Empty(path)
    vars(module).update(known)
    parent, _, name = path.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, module)


def names(jailed: bool = False) -> dict[str, object]:
    """The names of a notebook's kernel, for the namespace of an answer.

    ``import google.colab`` works then, and so do IPython, ipywidgets and tqdm where they are not installed. In a jail the first
    two are packages of nothing always, for loading them takes time and may need libraries of the system that are not there, and
    so ``tqdm.notebook``, which needs both, is tqdm for a terminal.
    """
    for package, modules in PACKAGES.items():
        tqdm = sys.modules.get("tqdm") if package == "tqdm" else None  # torch loads it where it is installed
        if tqdm and jailed:
            _put("tqdm.notebook", tqdm=tqdm.tqdm, tqdm_notebook=tqdm.tqdm, trange=tqdm.trange)
        elif jailed or (package not in sys.modules and not find_spec(package)):
            for path in (package, *(f"{package}.{name}" for name in modules)):
                _put(path, **KNOWN.get(package, {}))
    for path in ("google", "google.colab"):
        sys.modules.setdefault(path, _Empty(path))
    colab = {"files": _Files(), **dict.fromkeys(("auth", "data_table", "drive", "output", "userdata", "widgets"), Nothing())}
    google, package = sys.modules["google"], sys.modules["google.colab"]
    google.colab = package
    vars(package).update(colab)
    sys.modules.update({f"google.colab.{name}": part for name, part in colab.items()})
    return {"display": Nothing(), "get_ipython": lambda: Nothing(), "input": lambda prompt="": ""}
