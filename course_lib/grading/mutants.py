"""Small mistakes made on purpose: a solution with one thing changed, to see whether its graded tests notice."""

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

OPERATORS = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mult, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
COMMUTE = (ast.Add, ast.Mult)
OPPOSED = (ast.Eq, ast.NotEq, ast.In, ast.NotIn, ast.Is, ast.IsNot)  # what stands for them above is their negation

# What is easily taken for something else: functions, layers, methods and attributes by their last name.
MISTAKEN = {
    "relu": ("sigmoid", "gelu"),
    "sigmoid": ("relu", "tanh"),
    "log_softmax": ("softmax",),
    "softmax": ("sigmoid", "log_softmax"),
    "ReLU": ("Sigmoid", "GELU"),
    "MaxPool2d": ("AvgPool2d",),
    "AvgPool2d": ("MaxPool2d",),
    "BatchNorm2d": ("InstanceNorm2d",),
    "mean": ("sum", "amax"),
    "sum": ("mean",),
    "median": ("mean",),
    "all": ("any",),
    "any": ("all",),
    "min": ("max",),
    "max": ("min",),
    "round": ("int",),
    "deepcopy": ("copy",),
    "train": ("eval",),
    "eval": ("train",),
    "no_grad": ("enable_grad",),
    "append": ("extend",),
    "modules": ("children",),
    "weight": ("bias",),
    "in_channels": ("out_channels",),
    "out_channels": ("in_channels",),
    "in_features": ("out_features",),
    "stem": ("head",),
    "head": ("stem",),
    "norm": ("sum",),
    "zeros_": ("ones_",),
    "zero_": ("detach",),
    "new_zeros": ("new_ones",),
}
# Keywords that a layer is easily given: their names, and a value that is not the default.
GIVEN = {
    "Conv2d": {"bias": False},
    "Linear": {"bias": False},
    "BatchNorm2d": {"eps": 1e-3, "momentum": 0.01, "affine": False},
    "MaxPool2d": {"ceil_mode": True},
    "cross_entropy": {"reduction": "sum"},
}
# The first argument in place of the call is no mistake that anybody makes.
NEVER_DROPPED = {"range", "zip", "enumerate", "isinstance", "super", "slice", "list"}


@dataclass(frozen=True)
class Mutant:
    """One change of one answer.

    Attributes:
        exercise: name of the answer.
        line: in the source, of the statement that differs.
        what: kind of change, and the statement that it makes or drops; the same for the same change, wherever it stands.
        text: the whole definition, changed.
    """

    exercise: str
    line: int
    what: str
    text: str


@dataclass
class _Place:
    """What surrounds an expression."""

    imported: frozenset[str]  # names that the source imports
    strings: list[str]  # that the definition contains, documentation apart
    layers: list[list[str]]  # attributes of self that the definition makes by calls of the same function
    statement: ast.stmt
    function: ast.FunctionDef | None = None

    def alike(self, name: str) -> list[str]:
        """Names to take for this one: arguments of the same annotation, or variables assigned beside it; its neighbours."""
        if not self.function:
            return []
        arguments = [*self.function.args.posonlyargs, *self.function.args.args, *self.function.args.kwonlyargs]
        groups: dict[str, list[str]] = {}
        for argument in arguments:
            if argument.annotation:
                groups.setdefault(ast.unparse(argument.annotation), []).append(argument.arg)
        together = [
            [target.id for target in node.elts if isinstance(target, ast.Name)]
            for node in ast.walk(self.function)
            if isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Store)
        ]
        return _neighbours(name, (*groups.values(), *together))


def mutants(source: str, names: Collection[str]) -> Iterator[Mutant]:
    """Every mutant of the answers of these names, in the order of the source; the same in every run, none twice.

    Args:
        source: Python text; of two definitions of a name the last one counts.
        names: functions and classes defined at its top level.
    Raises:
        SyntaxError: if the source is not Python.
    """
    tree = ast.parse(source)
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
    imported = frozenset((alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names)
    defined = {node.name: node for node in tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and node.name in names}
    for name, definition in defined.items():
        seen = {ast.unparse(definition)}
        strings = sorted({node.value for node in _own_constants(definition) if isinstance(node.value, str)})
        place = _Place(imported, strings, _layers(definition), definition)
        for kind, shown, line, owner, field, value in _edits(definition, place):
            before = getattr(owner, field)
            setattr(owner, field, value)
            try:
                text, after = ast.unparse(definition), shown if isinstance(shown, str) else _first_line(shown)
                if text not in seen and _compiles(text):
                    seen.add(text)
                    yield Mutant(name, line, f"{kind}: {after}", text)
            finally:
                setattr(owner, field, before)


def _edits(node: ast.AST, place: _Place) -> Iterator[tuple]:
    """(kind, statement to show or text, line, owner, field, new value of that field) of every change at or below a node."""
    if isinstance(node, FUNCTIONS):
        place = replace(place, statement=node, function=node)
        if node.args.defaults:
            fewer = _with(node.args, defaults=node.args.defaults[1:])
            yield "default dropped", node, node.lineno, node, "args", fewer
    elif isinstance(node, ast.stmt):
        place = replace(place, statement=node)
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "exc", "targets", "target"):
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield from _block(node, field, value, place)
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_docstring(child) or isinstance(child, ast.JoinedStr) or _is_strict(child):
                continue
            if isinstance(child, ast.expr):
                for kind, new in _instead(child, node, field, place):
                    changed = [*value[:index], new, *value[index + 1 :]] if isinstance(value, list) else new
                    yield kind, place.statement, place.statement.lineno, node, field, changed
            yield from _edits(child, place)


def _block(owner: ast.AST, field: str, block: list[ast.stmt], place: _Place) -> Iterator[tuple]:
    """Changes of statements as a whole."""

    def change(kind: str, shown: object, index: int, *new: ast.stmt, until: int = 1) -> tuple:
        body = [*block[:index], *new, *block[index + until :]]
        return kind, shown, block[index].lineno, owner, field, body or [ast.Pass()]

    alone = sum(not _is_docstring(statement) for statement in block) == 1  # a function without it would be a stub
    for index, statement in enumerate(block):
        if _is_docstring(statement):
            continue
        if isinstance(statement, ast.Return):
            for name in _locals_before(place.function, statement):
                new = ast.Return(ast.Name(name, ast.Load()))
                yield change("returned too early", new, index, new)
            if statement.value and ast.unparse(getattr(place.function, "returns", None) or ast.Constant(None)) == "Tensor":
                call = ast.Call(ast.Attribute(statement.value, "detach", ast.Load()), [], [])
                new = ast.Return(call)
                yield change("gradient stopped", new, index, new)
        elif not isinstance(statement, (*FUNCTIONS, ast.ClassDef, ast.Pass)) and not (isinstance(owner, FUNCTIONS) and alone):
            yield change("dropped", _first_line(statement), index)
        if isinstance(statement, ast.AugAssign):
            target = _with(statement.target, ctx=ast.Store())
            new = ast.Assign([target], statement.value, lineno=statement.lineno)
            yield change("assigned", new, index, new)
            for operator in OPERATORS.get(type(statement.op), ()):
                new = _with(statement, op=operator())
                yield change("operator", new, index, new)
        if isinstance(statement, ast.If):
            yield change("always", _first_line(statement), index, *statement.body)
        if isinstance(statement, ast.For | ast.While):
            new = _with(statement, body=[*statement.body, ast.Break()])
            yield change("once", _first_line(statement), index, new)
        if isinstance(statement, ast.With):
            yield change("without", _first_line(statement), index, *statement.body)
        if index + 1 < len(block) and _depend(statement, follower := block[index + 1]):
            shown = f"{_first_line(follower)}; {_first_line(statement)}"
            yield change("swapped", shown, index, follower, statement, until=2)


def _instead(node: ast.expr, parent: ast.AST, field: str, place: _Place) -> Iterator[tuple[str, ast.expr]]:
    """(kind, expression) of everything to put in an expression's place."""
    bound = (isinstance(parent, ast.Call) and getattr(parent.func, "id", "") == "range") or isinstance(parent, ast.Slice)
    if bound and not isinstance(node, ast.Constant):
        yield "bound", ast.BinOp(node, ast.Add(), ast.Constant(1))
        yield "bound", ast.BinOp(node, ast.Sub(), ast.Constant(1))
    if isinstance(node, ast.Constant):
        yield from (("constant", ast.Constant(value)) for value in _constants(node.value, place.strings))
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from (("name", ast.Name(other, ast.Load())) for other in place.alike(node.id))
        if field == "func":
            yield from (("mistaken", ast.Name(other, ast.Load())) for other in MISTAKEN.get(node.id, ()))
    elif isinstance(node, ast.Attribute):
        yield from (("mistaken", _with(node, attr=other)) for other in MISTAKEN.get(node.attr, ()))
        if isinstance(node.ctx, ast.Load) and getattr(node.value, "id", "") == "self":
            yield from (("name", _with(node, attr=other)) for other in _neighbours(node.attr, place.layers))
    elif isinstance(node, ast.BinOp):
        yield from (("operator", _with(node, op=operator())) for operator in OPERATORS.get(type(node.op), ()))
        yield "operand dropped", node.left
        if isinstance(node.op, COMMUTE):
            yield "operand dropped", node.right
        elif type(node.op) in OPERATORS:
            yield "order", _with(node, left=node.right, right=node.left)
        if isinstance(node.op, ast.FloorDiv):
            negative = ast.UnaryOp(ast.USub(), node.left)
            yield "rounded up", ast.UnaryOp(ast.USub(), ast.BinOp(negative, ast.FloorDiv(), node.right))
    elif isinstance(node, ast.UnaryOp):
        yield "operator dropped", node.operand
        if isinstance(node.operand, ast.BinOp) and isinstance(node.operand.left, ast.UnaryOp):  # -(-a // b)
            yield "rounded down", _with(node.operand, left=node.operand.left.operand)
    elif isinstance(node, ast.Compare):
        for operator in OPERATORS.get(type(node.ops[0]), ()):
            yield "condition", _with(node, ops=[operator(), *node.ops[1:]])
    elif isinstance(node, ast.BoolOp):
        yield "condition", _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        yield from (("condition dropped", _with(node, values=rest)) for rest in _dropped(node.values))
    elif isinstance(node, ast.IfExp):
        yield from (("always", side) for side in (node.body, node.orelse))
    elif isinstance(node, ast.Call):
        yield from _calls(node, place)
    elif isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
        if not (isinstance(parent, ast.keyword) and parent.arg == "dim"):  # their order makes no difference
            yield from (("order", _with(node, elts=elements)) for elements in _swapped(node.elts))
        if isinstance(node, ast.List):
            yield from (("element dropped", _with(node, elts=elements)) for elements in _dropped(node.elts))
    elif isinstance(node, ast.Slice):
        for side in ("lower", "upper", "step"):
            if getattr(node, side):
                yield "bound dropped", _with(node, **{side: None})
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        for index, generator in enumerate(node.generators):
            for rest in _dropped(generator.ifs):
                fewer = [*node.generators[:index], _with(generator, ifs=rest), *node.generators[index + 1 :]]
                yield "filter dropped", _with(node, generators=fewer)
        if isinstance(node, ast.ListComp) and getattr(node.generators[0].target, "id", "") == "_":
            count = ast.Call(ast.Name("len", ast.Load()), [node.generators[0].iter], [])
            yield "made once", ast.BinOp(ast.List([node.elt], ast.Load()), ast.Mult(), count)
    if field == "test" and not (isinstance(node, ast.Compare) and isinstance(node.ops[0], OPPOSED)):
        yield "condition", ast.UnaryOp(ast.Not(), node)


def _calls(call: ast.Call, place: _Place) -> Iterator[tuple[str, ast.expr]]:
    """Changes of a call: another order, something missing or too much, or no call at all."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in ("min", "max"):
        yield from (("order", _with(call, args=arguments)) for arguments in _swapped(call.args))
    if name == "Sequential":
        yield from (("element dropped", _with(call, args=arguments)) for arguments in _dropped(call.args))
    elif len(call.args) > 1:
        yield "argument dropped", _with(call, args=call.args[:-1])
    for keyword, fewer in zip(call.keywords, _dropped(call.keywords), strict=True):
        if not _is_strict(keyword):
            yield "argument dropped", _with(call, keywords=fewer)
    given = {keyword.arg for keyword in call.keywords}
    for keyword, value in GIVEN.get(name, {}).items():
        if keyword not in given:
            yield "argument added", _with(call, keywords=[*call.keywords, ast.keyword(keyword, ast.Constant(value))])
    if name[:1].isupper():
        if name != "Sequential" and isinstance(function, ast.Attribute):
            yield "layer dropped", ast.Call(_with(function, attr="Identity"), [], [])
    elif name not in NEVER_DROPPED:
        if call.args and not isinstance(call.args[0], ast.Starred):
            yield "call dropped", call.args[0]
        if isinstance(function, ast.Attribute) and getattr(function.value, "id", "") not in {"self", *place.imported}:
            yield "call dropped", function.value


def _constants(value: object, strings: list[str]) -> list:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, *([2 * value] if value > 2 else [])]
    if isinstance(value, float):
        return [2 * value, value / 2] if value else [1.0]
    if isinstance(value, str) and value in strings:
        return [strings[(strings.index(value) + 1) % len(strings)] if len(strings) > 1 else f"{value}?"]
    return []


def _swapped(items: list) -> list[list]:
    """The list with two neighbours in each other's place."""
    return [[*items[:i], items[i + 1], items[i], *items[i + 2 :]] for i in range(len(items) - 1)]


def _dropped(items: list) -> list[list]:
    """The list without one of its items."""
    return [[*items[:i], *items[i + 1 :]] for i in range(len(items))]


def _with(node: ast.AST, **changes) -> ast.AST:
    """A copy of the node alone with other children."""
    return ast.copy_location(type(node)(**dict(ast.iter_fields(node)) | changes), node)


def _neighbours(name: str, groups: Iterable[list[str]]) -> list[str]:
    """What stands before and after the name in the groups that it belongs to."""
    places = [(group, group.index(name)) for group in groups if name in group]
    return [other for group, place in places for other in group[max(place - 1, 0) : place] + group[place + 1 : place + 2]]


def _layers(definition: ast.AST) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Attribute):
            groups.setdefault(ast.unparse(node.value.func), []).append(node.targets[0].attr)
    return list(groups.values())


def _own_constants(definition: ast.AST) -> Iterator[ast.Constant]:
    """Constants of the code itself: no documentation, annotations, exceptions or texts with values in them."""
    for child in ast.iter_child_nodes(definition):
        if isinstance(child, ast.Constant):
            yield child
        elif not (isinstance(child, ast.Raise | ast.JoinedStr | ast.arguments) or _is_docstring(child)):
            yield from _own_constants(child)


def _locals_before(function: ast.FunctionDef | None, statement: ast.stmt) -> list[str]:
    """Variables of the function that have a value when the statement runs, in order."""
    nodes = ast.walk(function) if function else ()
    assigned = [node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return list(dict.fromkeys(node.id for node in assigned if node.lineno < statement.lineno))


def _depend(first: ast.stmt, second: ast.stmt) -> bool:
    """Whether one of two plain statements reads or writes a variable that the other one writes."""
    if not all(isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr) for statement in (first, second)):
        return False
    names = [
        {context: {n.id for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, context)} for context in kinds}
        for s in (first, second)
        for kinds in [(ast.Load, ast.Store)]
    ]
    written = names[0][ast.Store], names[1][ast.Store]
    return bool(written[0] & (names[1][ast.Load] | written[1]) or written[1] & names[0][ast.Load])


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_strict(node: ast.AST) -> bool:
    """Whether it is zip's keyword, which makes a difference only where something is wrong already."""
    return isinstance(node, ast.keyword) and node.arg == "strict"


def _first_line(statement: ast.stmt) -> str:
    return ast.unparse(statement).partition("\n")[0]


def _compiles(text: str) -> bool:
    try:
        compile(text, "<mutant>", "exec")
    except SyntaxError:
        return False
    return True
