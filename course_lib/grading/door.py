"""The door between a graded test and a student's answer.

Everything that passes it is a value: ``None``, ``bool``, ``int``, ``float``, ``str``, lists, tuples and dictionaries of
values, tensors. Values are copied both ways, as bytes (``course_lib.grading.wire``). Anything else (a module, a generator)
stays inside, and the test holds a :class:`Handle`. So it makes no difference to a test whether the answer lives in the same
process (:class:`Inside`) or in a jail (:class:`course_lib.grading.jailed.Jailed`).
"""

import sys
from functools import lru_cache
from pathlib import Path

from torch import Tensor

from course_lib.grading import wire
from course_lib.grading.inside import Room, fixed_start
from course_lib.grading.notebook import Source, Statement, attempted
from course_lib.grading.results import NotAttempted, Raised, Refused, Stopped, printable, type_name

__all__ = ["Answers", "Backend", "Fault", "Handle", "Inside", "fixed_start"]

BY_NAME = {"course_lib", "numpy", "torch", "torchvision", *sys.stdlib_module_names}  # the answer's process has these too


class Answers:
    """The student's answers by name: ``answers.embed_deeper(shallow, 2)``.

    Args:
        answer: the text of a notebook or the names of a live one, to run in this process; or a jailed process.
    """

    def __init__(self, answer: "Source | dict | Backend"):
        self._backend = answer if isinstance(answer, Backend) else Inside(answer)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._backend.find(name)

    def inside(self, function, /, *args, **kwargs):
        """Call a trusted, module-level function where the answer lives; results by the same rules.

        A function of a test file goes in as text, with all of that file that it refers to, so it shares no variables with
        the test. It returns data, never verdicts: the student's code could change those there.
        """
        return self._backend.run(function, args, kwargs)


class Handle:
    """An object that stays inside, known to the test only by what it does."""

    def __init__(self, backend: "Backend", number: int):
        self._backend, self._number, self._label = backend, number, "object"

    def __call__(self, *args, **kwargs):
        return self._backend.request("call", self._label, (self, *args), kwargs)

    def value(self):
        """The object itself, if it is a plain value: ``answers.width.value()`` where students are asked for a number."""
        return self._backend.request("value", self._label, self)

    def state(self) -> dict[str, Tensor]:
        """Copies of the module's parameters and buffers, as its ``state_dict()`` names them."""
        return self._backend.request("state", self._label, self)

    def load(self, state: dict[str, Tensor]) -> "Handle":
        """Give the module these parameters and buffers; names and shapes must match exactly."""
        self._backend.request("load", self._label, self, state)
        return self

    def train(self) -> "Handle":
        self._backend.request("set_mode", self._label, self, True)
        return self

    def eval(self) -> "Handle":
        self._backend.request("set_mode", self._label, self, False)
        return self

    def gradients(self, x: Tensor, upstream: Tensor | None = None) -> dict[str, Tensor]:
        """Gradients of L = sum(output * upstream) with respect to ``"input"`` and to every parameter by name.

        ``upstream`` is all ones by default; the gradient of what L does not depend on is zero.
        """
        return self._backend.request("gradients", self._label, self, x, upstream)

    def run(self, function, /, *args, **kwargs):
        """Call a trusted, module-level function with the object itself; data, no verdicts (see :meth:`Answers.inside`)."""
        return self._backend.run(function, (self, *args), kwargs)

    def __repr__(self) -> str:
        return f"<Handle of {self._label}>"

    def _refuse(self, *_, **__):
        if self._number in self._backend.students:
            raise Refused(
                f"your answer gave {self._label} where a plain value is expected: a number, a text, a list, a tensor, …"
            )
        raise TypeError(
            f"{self!r} is not a value: the object stays with the answer (in a graded run in another process), so it "
            "cannot be compared, tested, counted, iterated or hashed here. Call it, or use value(), state(), "
            "gradients() or run(function)."
        )

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse()

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        for value in (*args, *(kwargs or {}).values()):
            for part in value if type(value) in (list, tuple) else (value,):
                if type(part) is cls:
                    part._refuse()
        raise TypeError(f"a Handle is not a tensor: {function}")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __len__ = __iter__ = __hash__ = _refuse
    __contains__ = __getitem__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _refuse
    __neg__ = __pos__ = __abs__ = __round__ = __int__ = __float__ = __complex__ = __index__ = _refuse


ALWAYS = {"find": Handle, "begin": type(None), "load": type(None), "set_mode": type(None)}  # the kind of reply to some requests


class Fault(Exception):
    """A trusted function failed inside: an error of the test. ``instructor`` is the traceback."""

    def __init__(self, message: str, instructor: str):
        super().__init__(message)
        self.instructor = instructor


class Backend:
    """Asks the room in which the student's objects live; what is right and wrong with the answer's text is decided here.

    Attributes:
        students: numbers of the handles of objects that are the student's, or that the student's code had in its hands.
    """

    def __init__(self, source: Source | None):
        self.source = source
        self.students: set[int] = set()
        self._sent: dict[str, set[int]] = {}  # statements that are there, by space
        self._requests = 0

    def exchange(self, frame: bytes) -> bytes:
        """The reply of the room to a request.

        Raises:
            Stopped: if there is none.
            ProtocolError: if it is none.
        """
        raise NotImplementedError

    def find(self, name: str) -> Handle:
        """The student's object of that name."""
        statements = None
        if self.source:
            if name in self.source.broken and name not in self.source.names:
                error = self.source.broken[name]
                where = f"  (line {error.lineno}: {(error.text or '').strip()})" if error.lineno else ""
                raise Raised(f"your code has a syntax error: {error.msg}{where}", "SyntaxError", error.msg)
            if not attempted(self.source, name):
                raise NotAttempted(name)
            statements = self._statements("", self.source, name)
        return self._ask("find", (name, statements), label=name, students=True)

    def request(self, verb: str, *payload):
        """Do something with live objects, and let the result out."""
        return self._ask(verb, payload)

    def run(self, function, args: tuple, kwargs: dict):
        """Call a trusted function of an importable module inside."""
        module, name = getattr(function, "__module__", None) or "", getattr(function, "__qualname__", "?")
        found = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not function:
            raise TypeError("only a function or class at the top level of an importable module can be called inside")
        statements = None
        if module.partition(".")[0] not in BY_NAME or "exercise_tests" in module:
            source = _test_source(Path(sys.modules[module].__file__).read_text(encoding="utf-8"))
            statements = self._statements(module, source, name.partition(".")[0])
        return self._ask("run", ((module, name, statements), args, kwargs))

    def _statements(self, space: str, source: Source, name: str) -> tuple:
        """The statements that the name needs: compiler flags, all their numbers, and those that are not there yet."""
        closure = source.closure(name)
        new = {one.order: (one.cell, one.line, one.text) for one in closure if self._is_new(space, one)}
        return source.flags, [one.order for one in closure], new

    def _is_new(self, space: str, statement: Statement) -> bool:
        sent = self._sent.setdefault(space, set())
        known = statement.order in sent
        sent.add(statement.order)
        return not known

    def _ask(self, verb: str, payload: tuple, label: str | None = None, students: bool = False):
        touched, used = [students], set()

        def enter(value) -> int:
            if type(value) is not Handle or value._backend is not self:
                raise TypeError(
                    f"{type_name(value)} cannot be handed to an answer: only plain values, tensors, Handles of the "
                    "same test and results of answers.inside(…) can"
                )
            used.add(value._number)
            touched.append(value._number in self.students)
            return value._number

        self._requests += 1
        frame = wire.pack((self._requests, verb, payload, touched), enter)  # in this order: touched fills while payload is packed
        students = any(touched)
        if students:
            self.students |= used
        handles: dict[int, Handle] = {}

        def leave(number: int) -> Handle:
            if students:
                self.students.add(number)
            return handles.setdefault(number, Handle(self, number))

        return self._result(verb, self.exchange(frame), students, label, handles, leave)

    def _result(self, verb: str, frame: bytes, students: bool, label: str | None, handles: dict[int, Handle], leave):
        """What a reply says, as a value or an exception."""
        reply = wire.unpack(frame, leave)
        if type(reply) is not tuple or len(reply) < 2 or reply[0] != self._requests:
            raise wire.ProtocolError("a reply that nobody asked for")
        _, kind, *rest = reply
        if kind == "value" and len(rest) == 2 and type(rest[1]) is dict and type(rest[0]) is ALWAYS.get(verb, type(rest[0])):
            for number, handle in handles.items():
                handle._label = label or printable(str(rest[1].get(number, "object")))[:100]
            if verb in ("state", "gradients") and not _is_state(rest[0]):
                raise Refused(f"your answer's {'parameters' if verb == 'state' else verb} are not tensors by name")
            return rest[0]
        words = [printable(text)[:5000] for text in rest if type(text) is str]
        count = {"raised": 3, "not attempted": 1, "refused": 1, "memory": 0, "fault": 0 if students else 3}.get(kind)
        if len(words) != len(rest) or len(words) != count:
            raise wire.ProtocolError("a reply of no known kind")
        if kind == "raised":
            raise Raised(*words)
        if kind == "not attempted":
            raise NotAttempted(*words)
        if kind == "refused":
            raise Refused(f"your answer gave a value that cannot be looked at: {words[0]}")
        if kind == "memory":
            raise Stopped("memory", "your answer needs more memory than there is for it")
        raise Fault(f"{words[0]}: {words[1]}", words[2])


class Inside(Backend):
    """The room in this process: for a student's own notebook, and for answers that are trusted."""

    def __init__(self, answer: Source | dict):
        super().__init__(answer if isinstance(answer, Source) else None)
        self._room = Room(None if isinstance(answer, Source) else answer)

    def exchange(self, frame: bytes) -> bytes:
        return self._room.serve(frame[wire.LENGTH.size :])[wire.LENGTH.size :]


def _is_state(value) -> bool:
    return type(value) is dict and all(type(name) is str and type(found) is Tensor for name, found in value.items())


@lru_cache(maxsize=16)
def _test_source(text: str) -> Source:
    return Source([text])
