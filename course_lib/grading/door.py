"""The door between a graded test and a student's answer.

Everything that passes it is a value: ``None``, ``bool``, ``int``, ``float``, ``str``, lists, tuples and dictionaries of
values, tensors. Values are copied both ways. Anything else (a module, a generator) stays inside, and the test holds a
:class:`Handle`. So the answer can live in another process behind the same two classes.
"""

import ast
import inspect
import linecache
import random
import re
import sys
import traceback
import types
import warnings
from collections import OrderedDict
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.grading.notebook import Source
from course_lib.grading.results import NotAttempted, Raised, safe_text, type_name

SCALARS = (type(None), bool, int, float, str)
DEEPEST = 12  # containers in containers


class Answers:
    """The student's answers by name: ``answers.embed_deeper(shallow, 2)``.

    Args:
        answer: the text of a notebook, or the names of a live one.
    """

    def __init__(self, answer: Source | dict):
        self._inside = Inside(answer)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._inside.find(name)

    def inside(self, function, /, *args, **kwargs):
        """Call a trusted, importable, module-level function where the answer lives; results by the same rules."""
        _require_importable(function)
        return self._inside.request(function, args, kwargs)


class Handle:
    """An object that stays inside, known to the test only by what it does."""

    def __init__(self, inside: "Inside", number: int, label: str):
        self._inside, self._number, self._label = inside, number, label

    def __call__(self, *args, **kwargs):
        return self._inside.request("call", (self, *args), kwargs)

    def state(self) -> dict[str, Tensor]:
        """Copies of the module's parameters and buffers, as its ``state_dict()`` names them."""
        return self._inside.request("state", (self,))

    def load(self, state: dict[str, Tensor]) -> "Handle":
        """Give the module these parameters and buffers; names and shapes must match exactly."""
        self._inside.request("load", (self, state))
        return self

    def train(self) -> "Handle":
        self._inside.request("set_mode", (self, True))
        return self

    def eval(self) -> "Handle":
        self._inside.request("set_mode", (self, False))
        return self

    def gradients(self, x: Tensor, upstream: Tensor | None = None) -> dict[str, Tensor]:
        """Gradients of L = sum(output * upstream) with respect to ``"input"`` and to every parameter by name.

        ``upstream`` is all ones by default; the gradient of what L does not depend on is zero.
        """
        return self._inside.request("gradients", (self, x, upstream))

    def run(self, function, /, *args, **kwargs):
        """Call a trusted, importable, module-level function with the object itself; let it return data, no verdicts."""
        _require_importable(function)
        return self._inside.request(function, (self, *args), kwargs)

    def __repr__(self) -> str:
        return f"<Handle of {self._label}>"

    def _refuse(self, *_):
        raise TypeError(
            f"{self!r} is not a value: the object stays with the answer (in a graded run in another process), so it "
            "cannot be compared, tested, counted, iterated or hashed here. Call it, or use state(), gradients() or "
            "run(function)."
        )

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __hash__ = _refuse
    __contains__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse


class Inside:
    """Where the student's objects live. Nothing else touches them."""

    def __init__(self, answer: Source | dict):
        self.source = answer if isinstance(answer, Source) else None
        self.namespace = {"__name__": "__main__", "display": lambda *_, **__: None} if self.source else answer
        self.done: set = set()
        self.objects: list[tuple[object, bool]] = []  # the object, and whether it comes from the student

    def find(self, name: str):
        """The student's object of that name, as a value or a Handle."""
        if self.source and name in self.source.broken and name not in self.source.names:
            error = self.source.broken[name]
            where = f"  (line {error.lineno}: {(error.text or '').strip()})" if error.lineno else ""
            raise Raised(f"your code has a syntax error: {error.msg}{where}", "SyntaxError", error.msg)
        if name not in (self.source.names if self.source else self.namespace):
            raise NotAttempted(name)
        with self._blame(True):
            if self.source:
                self._execute(self.source.closure(name))
            found = self.namespace[name]
            if isinstance(found, (type, types.FunctionType)) and str(found.__module__).startswith("course_lib."):
                raise NotAttempted(name)  # imported from the course, not written
            return self._out(found, True, label=name)

    def request(self, operation, args: tuple, kwargs: dict | None = None):
        """Run one operation on live objects and let its result out."""
        handles: list[Handle] = []

        def enter(value):
            if type(value) is not Handle or value._inside is not self:
                raise TypeError(
                    f"{type_name(value)} cannot be handed to an answer: only plain values, tensors, Handles of the "
                    "same test and results of answers.inside(…) can"
                )
            handles.append(value)
            return self.objects[value._number][0]

        label = args[0]._label if args and type(args[0]) is Handle else ""
        args = [_copy(value, enter) for value in args]
        kwargs = {name: _copy(value, enter) for name, value in (kwargs or {}).items()}
        students = any(self.objects[handle._number][1] for handle in handles)
        if students:  # what the student's code has had in its hands counts as the student's
            for handle in handles:
                self.objects[handle._number] = (self.objects[handle._number][0], True)
        with self._blame(students):
            if callable(operation):
                result = operation(*args, **kwargs)
            elif operation == "call":
                if self.objects[handles[0]._number][1]:
                    _check_signature(label, *args, **kwargs)
                result = args[0](*args[1:], **kwargs)
            else:
                result = getattr(self, "_" + operation)(label, *args)
            return self._out(result, students)

    def _state(self, label: str, module) -> dict:
        return _module(label, module).state_dict()

    def _load(self, label: str, module, state: dict) -> None:
        try:
            _module(label, module).load_state_dict(state)
        except RuntimeError as error:
            text = safe_text(error)
            raise Raised(f"the parameters of {label} are not the expected ones: {text}", "RuntimeError", text) from None

    def _set_mode(self, label: str, module, training: bool) -> None:
        _module(label, module).train(training)

    def _gradients(self, label: str, function, x: Tensor, upstream: Tensor | None) -> dict[str, Tensor]:
        parameters = dict(function.named_parameters()) if _is_module(function) else {}
        with torch.enable_grad():
            wanted = {"input": x.requires_grad_(x.is_floating_point()), **parameters}
            output = function(x)
            if not issubclass(type(output), Tensor):
                raise Raised(f"{label} returned {type_name(output)}, expected one tensor")
            if upstream is not None and upstream.shape != output.shape:
                raise Raised(f"{label} returned a tensor of shape {tuple(output.shape)}, expected {tuple(upstream.shape)}")
            loss = (output if upstream is None else output * upstream).sum()
            asked = {name: tensor for name, tensor in wanted.items() if tensor.requires_grad and loss.requires_grad}
            found = torch.autograd.grad(loss, list(asked.values()), allow_unused=True) if asked else ()
        gradients = {name: gradient for name, gradient in zip(asked, found, strict=True) if gradient is not None}
        return {name: gradients.get(name, torch.zeros_like(tensor)) for name, tensor in wanted.items()}

    def _out(self, value, students: bool, label: str | None = None):
        def keep(thing):
            self.objects.append((thing, students))
            return Handle(self, len(self.objects) - 1, label or type_name(thing))

        return _copy(value, keep)

    def _execute(self, statements: list) -> None:
        """Run what has not run yet, in notebook order; what misses a name waits for it (cells were moved)."""
        waiting = [statement for statement in statements if statement not in self.done]
        while waiting:
            missing, again = None, []
            for statement in waiting:
                text = self.source.cells[statement.cell]
                linecache.cache[statement.cell] = (len(text), None, text.splitlines(keepends=True), statement.cell)
                try:
                    code = ast.Module([statement.node], [])
                    exec(compile(code, statement.cell, "exec", self.source.flags, dont_inherit=True), self.namespace)
                    self.done.add(statement)
                except NameError as error:
                    missing = missing or error
                    again.append(statement)
            if len(again) == len(waiting):
                raise missing
            waiting = again

    @contextmanager
    def _blame(self, students: bool):
        """Turn whatever the student's code raises into a verdict; leave the errors of trusted code as they are."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (Raised, NotAttempted):
            raise
        except BaseException as error:
            frames = list(traceback.walk_tb(error.__traceback__))
            own = [(frame, line) for frame, line in frames if frame.f_globals is self.namespace]
            if not (students or own):
                raise
            raise self._verdict(error, own, raised_here=bool(own) and own[-1] == frames[-1]) from None

    def _verdict(self, error: BaseException, own: list, raised_here: bool) -> NotAttempted | Raised:
        kind, text = type_name(error), safe_text(error)
        if isinstance(error, NotImplementedError) and raised_here:
            named = re.match(r"write ([\w.]+)", text)
            return NotAttempted(named[1] if named else own[-1][0].f_code.co_name)
        where = ""
        if own:
            code, line = own[-1][0].f_code, own[-1][1]
            inside = "" if code.co_name == "<module>" else f"in {code.co_name}, "
            where = f"  ({inside}line {line}: {linecache.getline(code.co_filename, line).strip()})"
        what = f"{kind}: {text}" if text else kind
        return Raised(f"your code raised {what}{where}", kind, text)


@contextmanager
def fixed_start():
    """Seeds, gradient mode, default dtype and one thread for every test; the notebook's own come back afterwards.

    The tensors of a test are so small that threads would only wait for each other.
    """
    states, dtype, threads = (random.getstate(), np.random.get_state()), torch.get_default_dtype(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            random.seed(0)
            np.random.seed(0)
            torch.default_generator.manual_seed(0)
            torch.set_default_dtype(torch.float32)
            torch.set_num_threads(1)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)


def _copy(value, other, depth: int = 0):
    """A plain copy of a value by its exact type; ``other`` decides about everything that is not one."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if issubclass(kind, Tensor):  # Parameters and other subclasses too, without asking them
        with torch._C.DisableTorchFunctionSubclass():
            return Tensor.detach(value).as_subclass(Tensor).cpu().clone()
    if issubclass(kind, np.generic) and type(value.item()) in SCALARS:
        return value.item()
    if kind is np.ndarray and value.dtype.kind in "biufc":
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("="), order="C"))
    if depth == DEEPEST and kind in (list, tuple, dict):
        raise ValueError(f"values are nested more than {DEEPEST} deep")
    if kind in (list, tuple, torch.Size):
        return (list if kind is list else tuple)(_copy(item, other, depth + 1) for item in value)
    if kind in (dict, OrderedDict) and all(type(key) in SCALARS for key in value):
        return {key: _copy(item, other, depth + 1) for key, item in value.items()}
    return other(value)


def _require_importable(function) -> None:
    found = sys.modules.get(getattr(function, "__module__", None) or "")
    for name in getattr(function, "__qualname__", "?").split("."):
        found = getattr(found, name, None)
    if found is not function:
        raise TypeError("only a function or class at the top level of an importable module can be called inside")


def _check_signature(label: str, function, /, *args, **kwargs) -> None:
    """Say how the test calls and what the student wrote when the two do not fit."""
    if not callable(function):
        raise Raised(f"{label} is {type_name(function)}, which cannot be called")
    if _is_module(function):
        function, label = function.forward, f"{label}.forward"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # not written in Python
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        call = ", ".join([*map(type_name, args), *(f"{name}=…" for name in kwargs)])
        empty, dots = inspect.Parameter.empty, _Dots()
        written = [
            parameter.replace(annotation=empty, default=empty if parameter.default is empty else dots)
            for parameter in signature.parameters.values()
        ]
        yours = signature.replace(parameters=written, return_annotation=inspect.Signature.empty)
        message = f"expected a signature that fits {label}({call}), found {label}{yours}: {error}"
        raise Raised(message, "TypeError", str(error)) from None


class _Dots:
    """A default value that is not shown."""

    def __repr__(self) -> str:
        return "…"


def _is_module(value) -> bool:
    return issubclass(type(value), nn.Module)


def _module(label: str, value) -> nn.Module:
    if not _is_module(value):
        raise Raised(f"{label} is {type_name(value)}, expected a torch.nn.Module")
    return value
