"""Where the student's objects live, in process or jailed: :class:`Room` runs what the door asks for.

It is written for an honest answer. What a hostile one makes of it stays in its own process: the other side of the door
believes nothing that comes from here.
"""

import dis
import importlib
import inspect
import linecache
import os
import random
import re
import traceback
import types
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from errno import ENOMEM

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.grading import kernel, wire
from course_lib.grading.results import NOTHING, NotAttempted, Raised, safe_text, type_name

NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory", "std::bad_alloc")
NOTES = {  # what an honest student runs into while graded, by a word of the error
    "DataLoader worker": "there are no other processes while grading: DataLoader needs num_workers=0",
    "CUDA": "there is no GPU while grading: take the device of the input",
    "NVIDIA": "there is no GPU while grading: take the device of the input",
    "urlopen": "there is no network while grading",
    "resolution": "there is no network while grading",
    "Operation not permitted": "there are no other processes (DataLoader needs num_workers=0), no network and no files to write "
    "while grading",
    "Read-only file system": "there are no files to write while grading",
    "Permission denied": "there are no files but Python's own while grading, and no other processes",
    "FileNotFoundError": "there are no files but Python's own while grading",
}


class Room:
    """The names of one answer, the objects that the test holds handles of, and what may be done with them.

    Args:
        names: of a live notebook; without them the statements that come through the door make their own.
        jailed: whether an error may come from the jail, so that a note explains it.
    """

    def __init__(self, names: dict | None = None, jailed: bool = False):
        self.names = {"__name__": "__main__", **kernel.names(jailed)} if names is None else names
        self.jailed = jailed
        self.spaces: dict[str, Space] = {"": Space(self.names)}
        self.objects: list = []

    def serve(self, frame: bytes) -> bytes:
        """The reply to a request, both as frames (see :mod:`course_lib.grading.wire`); never raises."""
        number, students, labels = -1, True, {}

        def keep(value) -> int:
            value = value.object if type(value) is Kept else value
            self.objects.append(value)
            labels[len(self.objects) - 1] = _describe(value)
            return len(self.objects) - 1

        try:
            number, verb, payload, touched = wire.unpack(frame, self.objects.__getitem__)
            students = any(touched)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(self, "_" + verb)(*payload, students)
            return wire.pack((number, "value", value, labels), keep)  # in this order: labels fills while value is packed
        except BaseException as error:
            try:
                return wire.pack((number, *self._verdict(error, students)), None)
            except BaseException:
                return wire.pack((number, "raised", "your code raised an exception that cannot be read", "Exception", ""), None)

    def _begin(self, students: bool) -> None:
        """Make this room a new one for the next test; what an answer did to the libraries stays."""
        self.__init__(jailed=self.jailed)
        _reset()

    def _find(self, name: str, statements: list | None, students: bool) -> "Kept":
        """The student's object of that name; it stays here, even a plain value: a test that calls it must hear of that."""
        if statements is not None:
            self.spaces[""].execute(*statements)
        if name not in self.names:
            raise NotAttempted(name)
        found = self.names[name]
        if isinstance(found, (type, types.FunctionType)) and str(found.__module__).startswith("course_lib."):
            raise NotAttempted(name)  # imported from the course, not written
        return Kept(found)

    def _value(self, label: str, value, students: bool):
        return value

    def _call(self, label: str, call: tuple, kwargs: dict, students: bool):
        function, *args = call
        if students:
            _check_signature(label, function, *args, **kwargs)
        return function(*args, **kwargs)

    def _run(self, function: tuple, args: tuple, kwargs: dict, students: bool):
        """Call a trusted function, given by its module and name, or by the statements of its test file."""
        module, name, statements = function
        if statements is None:
            found = importlib.import_module(module)
        else:
            space = self.spaces.setdefault(module, Space({"__name__": module}))
            space.execute(*statements)
            found = types.SimpleNamespace(**space.names)
        for part in name.split("."):
            found = getattr(found, part)
        return found(*args, **kwargs)

    def _state(self, label: str, module, students: bool) -> dict:
        return _module(label, module).state_dict()

    def _load(self, label: str, module, state: dict, students: bool) -> None:
        try:
            _module(label, module).load_state_dict(state)
        except RuntimeError as error:
            text = safe_text(error)
            raise Raised(f"the parameters of {label} are not the expected ones: {text}", "RuntimeError", text) from None

    def _set_mode(self, label: str, module, training: bool, students: bool) -> None:
        _module(label, module).train(training)

    def _gradients(self, label: str, function, x: Tensor, upstream: Tensor | None, students: bool) -> dict[str, Tensor]:
        parameters = dict(function.named_parameters()) if _is_module(function) else {}
        with torch.enable_grad():
            wanted = {"input": x.requires_grad_(x.is_floating_point()), **parameters}
            output = function(x)
            if not issubclass(type(output), Tensor):
                came = NOTHING if output is None else type_name(output)
                raise Raised(f"{label} returned {came}, expected one tensor")
            if upstream is not None and upstream.shape != output.shape:
                raise Raised(f"{label} returned a tensor of shape {tuple(output.shape)}, expected {tuple(upstream.shape)}")
            loss = (output if upstream is None else output * upstream).sum()
            asked = {name: tensor for name, tensor in wanted.items() if tensor.requires_grad and loss.requires_grad}
            found = torch.autograd.grad(loss, list(asked.values()), allow_unused=True) if asked else ()
        gradients = {name: gradient for name, gradient in zip(asked, found, strict=True) if gradient is not None}
        return {name: gradients.get(name, torch.zeros_like(tensor)) for name, tensor in wanted.items()}

    def _verdict(self, error: BaseException, students: bool) -> tuple:
        """What to reply: the student's code is to blame where it ran, or where its objects took part."""
        if isinstance(error, NotAttempted):
            return "not attempted", error.name
        if isinstance(error, Raised):
            return "raised", error.msg, error.kind, error.text
        if isinstance(error, wire.Unfit) and students:
            return "refused", str(error)
        kind, text = type_name(error), safe_text(error)
        if isinstance(error, MemoryError) or getattr(error, "errno", 0) == ENOMEM or any(words in text for words in NO_MEMORY):
            return ("memory",)
        frames = list(traceback.walk_tb(error.__traceback__))
        own = [(frame, line) for frame, line in frames if frame.f_globals is self.names]
        if not (students or own):
            return "fault", kind, text, "".join(traceback.format_exception(error))[-4000:]
        if isinstance(error, NotImplementedError) and own and own[-1] == frames[-1] and _is_raised(error):
            named = re.match(r"write ([\w.]+)", text)
            return "not attempted", named[1] if named else own[-1][0].f_code.co_name
        where = ""
        if own:
            code, line = own[-1][0].f_code, own[-1][1]
            inside = "" if code.co_name == "<module>" else f"in {code.co_name}, "
            where = f"  ({inside}line {line}: {self.spaces[''].line(code.co_filename, line)})"
        note, what = "", f"{kind}: {text}" if text else kind
        if self.jailed:
            note = next((f"\n({note})" for word, note in NOTES.items() if word in what), "")
        return "raised", f"your code raised {what}{where}{note}", kind, text


class Kept:
    """An object of which the test gets a handle, whatever it is."""

    def __init__(self, found):
        self.object = found


class Space:
    """Global names, and the statements that make them: each runs once, when something needs it."""

    def __init__(self, names: dict):
        self.names = names
        self.statements: dict[int, tuple[str, int, str]] = {}  # by number: cell, first line, text
        self.cells: dict[str, list[str]] = {}  # lines of the statements that are known, at their places
        self.done: set[int] = set()

    def execute(self, flags: int, order: list[int], new: dict[int, tuple[str, int, str]]) -> None:
        """Run those of these statements that have not run; what misses a name waits for it (cells were moved)."""
        self.statements |= new
        for cell, first, text in new.values():
            lines, own = self.cells.setdefault(cell, []), text.split("\n")
            lines += [""] * (first - 1 + len(own) - len(lines))
            lines[first - 1 : first - 1 + len(own)] = own
        for cell, lines in self.cells.items():
            linecache.cache[cell] = (len(lines), None, [f"{line}\n" for line in lines], cell)
        waiting = [number for number in order if number not in self.done]
        while waiting:
            missing, again = None, []
            for number in waiting:
                cell, first, text = self.statements[number]
                try:
                    code = compile("\n" * (first - 1) + text, cell, "exec", flags, dont_inherit=True)
                    exec(code, self.names)
                    self.done.add(number)
                except NameError as error:
                    missing = missing or error
                    again.append(number)
            if len(again) == len(waiting):
                raise missing
            waiting = again

    def line(self, file: str, number: int) -> str:
        """That line, without blanks around it."""
        lines = self.cells.get(file)
        text = lines[number - 1] if lines and number <= len(lines) else linecache.getline(file, number)
        return text.strip()


def serve(channel: int) -> None:
    """Answer requests on this descriptor until it is closed: the life of an answer process.

    Descriptors alone and no socket object: the filter knows read and write only.
    """
    room = Room(jailed=True)
    _write(channel, wire.pack((0, "value", None, {}), None))
    while start := _read(channel, wire.LENGTH.size):
        _write(channel, room.serve(_read(channel, wire.length(start))))


def _read(channel: int, size: int) -> bytes:
    """That many bytes, or none at the end."""
    parts, missing = [], size
    while missing and (part := os.read(channel, missing)):
        parts.append(part)
        missing -= len(part)
    return b"" if missing else b"".join(parts)


def _write(channel: int, frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(channel, rest) :]


session_seed: ContextVar[int] = ContextVar("session_seed", default=0)


@contextmanager
def fixed_start(seed: int = 0):
    """Seeds, gradient mode, default dtype and one thread for every test; the notebook's own come back afterwards.

    The tensors of a test are so small that threads would only wait for each other.

    Args:
        seed: of the session: what the test draws depends on it (:mod:`course_lib.grading.values`). What the answer draws does
            not, because in a jail it knows nothing of it.
    """
    states, dtype, threads = (random.getstate(), np.random.get_state()), torch.get_default_dtype(), torch.get_num_threads()
    before = session_seed.get()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            session_seed.set(seed)
            _reset()
            yield
        finally:
            session_seed.set(before)
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_default_dtype(dtype)
            torch.set_num_threads(threads)


def _reset() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.default_generator.manual_seed(0)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)


def _describe(value) -> str:
    """What a test is told of an object that stays here."""
    kind = type(value)
    if issubclass(kind, Tensor):
        if kind not in (Tensor, nn.Parameter):
            return f"{type_name(value)} (a subclass of Tensor)"
        if value.layout is not torch.strided:
            return "a sparse tensor"
        return "a tensor on the meta device (no numbers)" if value.device.type == "meta" else f"a tensor of {value.dtype}"
    for plain in (int, float, str, list, tuple, dict):
        if issubclass(kind, plain) and kind is not plain:
            return f"{type_name(value)} (a subclass of {plain.__name__})"
    return type_name(value)


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


def _is_raised(error: BaseException) -> bool:
    """Whether a ``raise`` raised it, and not a function of C: torch has its own "not implemented" for some types of data."""
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    return last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _is_module(value) -> bool:
    return issubclass(type(value), nn.Module)


def _module(label: str, value) -> nn.Module:
    if not _is_module(value):
        raise Raised(f"{label} is {type_name(value)}, expected a torch.nn.Module")
    return value
