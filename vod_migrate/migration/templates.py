"""Description templates: Jinja2, cut down to what cannot reach out, run on or grow without bound.

A migration file may come from somebody else, and a template is filled in for millions of keys by a process that holds
credentials. So a template may use a list of statements, filters and methods and nothing more; loops share a budget of steps;
and no value on the way may be longer than 16 KiB. What is refused for its kind is refused when the file is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NoReturn, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from vod_migrate.errors import BadOption
from vod_migrate.migration.base import check_names


def render(template: str, facts: Mapping[str, Any], what: str) -> str:
    """Fills a template in. what: its name for errors.

    Raises:
        BadOption: the run lacks what it uses; says how to give it.
    """
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(template).render(facts)
    except Exception as error:
        raise BadOption(f"{what} {template!r} cannot be made: {error}; {_fix(error)}") from error


def _fix(error: Exception) -> str:
    text = str(error)
    if not (isinstance(error, UndefinedError) and text.endswith("is undefined")):
        return "correct the template"
    if "interval_" in text:
        return "start the run by its schedule or a backfill, which give it an interval"
    return "give the run a date (--date YYYY-MM-DD, or `date` in the trigger form), or start it by its schedule or a backfill"


TEMPLATE_CHARACTERS = 4_096


MOST_STEPS = 1_000
"""Turns of all loops of one filling together."""


MOST_CHARACTERS = 16_384
"""Longest text on the way: 16 times the longest field that RegisterMedia takes."""


LARGEST_NUMBER = 10**18


_STEPS = "_steps"


_PLAIN_FILTERS = (
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "reverse",
    "select",
    "sort",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
)


_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        [
            "capitalize",
            "casefold",
            "count",
            "endswith",
            "find",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "islower",
            "isnumeric",
            "isspace",
            "istitle",
            "isupper",
            "lower",
            "lstrip",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
        ]
    ),
    tuple: frozenset({"count", "index"}),
    list: frozenset({"count", "index"}),
}


_MOMENT = frozenset(
    [
        "year",
        "month",
        "day",
        "hour",
        "minute",
        "second",
        "date",
        "time",
        "weekday",
        "isoweekday",
        "isoformat",
        "strftime",
    ]
)


_LOOP = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem"]
)


_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr, nodes.For,
    nodes.Assign, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword,
    nodes.Concat, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add,
    nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair,
)  # fmt: skip


class TemplateError(Exception):
    """A template that cannot be filled in for one key; the text says why."""


def _too_long(length: int) -> NoReturn:
    raise TemplateError(f"a text on the way has {length:,} characters; {MOST_CHARACTERS:,} are the most")


def _bounded(value: Any) -> Any:
    if isinstance(value, str | tuple | list) and len(value) > MOST_CHARACTERS:
        _too_long(len(value))
    return value


def _one(value: Any) -> Any:
    """A value that may stand in a text: lists within lists would multiply."""
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        raise TemplateError("a list stands where a text should: use `| join(', ')`, or one of its elements")
    return _bounded(value)


def _replaced(text: str, old: Any, new: Any, most: int = -1) -> str:
    old, new = str(_one(old)), str(_one(new))
    found = text.count(old) if most < 0 else min(most, text.count(old))
    length = len(text) + found * (len(new) - len(old))
    if length > MOST_CHARACTERS:
        _too_long(length)
    return text.replace(old, new, most)


def _replace_filter(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    return _replaced(str(_one(text)), old, new, -1 if count is None else count)


def _join(values: Any, between: Any = "") -> str:
    if isinstance(values, Undefined):
        return str(values)
    parts = [str(_one(value)) for value in values]
    between = str(_one(between))
    length = sum(map(len, parts)) + len(between) * len(parts)
    if length > MOST_CHARACTERS:
        _too_long(length)
    return str(between).join(parts)


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > MOST_STEPS:
        raise TemplateError(f"a range has {len(made):,} numbers; {MOST_STEPS:,} are the most")
    return made


@pass_context
def _counted(context: Context, values: Any) -> Iterator[Any]:
    steps: Any = context.resolve(_STEPS)
    for value in values:
        steps[0] += 1
        if steps[0] > MOST_STEPS:
            raise TemplateError(f"its loops take more than {MOST_STEPS:,} steps")
        yield value


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox with lists of what is allowed instead of lists of what is not."""

    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_one, keep_trailing_newline=True)
        self.filters = {name: FILTERS[name] for name in _PLAIN_FILTERS}
        self.filters |= {"replace": _replace_filter, "join": _join, "string": lambda value: str(_one(value))}
        self.filters |= {"_counted": _counted, "_one": _one}
        self.globals = {"range": _range}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 - the sandbox's signature
        if hasattr(obj, "strftime"):
            return attr in _MOMENT
        if type(obj).__name__ == "LoopContext":
            return attr in _LOOP
        return attr in _METHODS.get(type(obj), ())

    def getattr(self, obj: Any, attribute: str) -> Any:
        # A group or a column may be called as a method of dict is.
        if isinstance(obj, Mapping):
            if attribute in obj:
                return obj[attribute]
            return self.undefined(f"{attribute!r} is not among {', '.join(map(str, obj)) or 'nothing'}")
        if attribute in ("format", "format_map"):
            # The sandbox lets these pass in a form of its own, which pads to any width.
            return self.unsafe_undefined(obj, attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _bounded(value)
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str) and getattr(obj, "__name__", "") == "replace":
            return _replaced(owner, *args)
        return _bounded(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator != "+" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise TemplateError(f"{operator} is for numbers only")
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and abs(result) > LARGEST_NUMBER:
            raise TemplateError(f"{operator} makes a number beyond {LARGEST_NUMBER:.0e}")
        return _bounded(result)


_ENVIRONMENT = _Environment()


def _checked(node: nodes.Node) -> None:
    if not isinstance(node, _ALLOWED):
        told = f"uses {type(node).__name__.lower()!r} in line {node.lineno}, which no description needs"
        raise ValueError(told)  # noqa: TRY004 - pydantic collects it
    if isinstance(node, nodes.Name) and node.name == "self":
        raise ValueError(f"uses 'self' in line {node.lineno}, which no description needs")
    if isinstance(node, nodes.For) and node.recursive:
        raise ValueError(f"uses a recursive loop in line {node.lineno}, which no description needs")
    if isinstance(node, nodes.List | nodes.Tuple | nodes.Dict) and not _constant(node):
        raise ValueError(f"makes a list of values that are not constant in line {node.lineno}; write them one by one")
    for child in node.iter_child_nodes():
        _checked(child)


def _constant(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return True
    return all(
        isinstance(child, nodes.Const) or (isinstance(child, nodes.Pair) and _constant(child))
        for child in node.iter_child_nodes()
    )


def _with_bounds(tree: nodes.Template) -> nodes.Template:
    for loop in tree.find_all(nodes.For):
        loop.iter = _through("_counted", cast("nodes.Expr", loop.iter))
    for joined in tree.find_all(nodes.Concat):
        joined.nodes = [_through("_one", part) for part in joined.nodes]
    return tree


def _through(name: str, value: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=value.lineno, environment=_ENVIRONMENT)


def _parsed(template: str) -> nodes.Template:
    if len(template) > TEMPLATE_CHARACTERS:
        raise ValueError(f"has {len(template):,} characters; a template has {TEMPLATE_CHARACTERS:,} at most")
    try:
        tree = _ENVIRONMENT.parse(template)
        _checked(tree)
        _ENVIRONMENT.compile(template)
    except TemplateSyntaxError as error:
        raise ValueError(f"is no Jinja2 template: {error.message} (line {error.lineno})") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    return tree


def check_wording(template: str, known: Collection[str], groups: Collection[str] | None = None) -> None:
    """Whether a template can be read, keeps to what is allowed, and uses only known facts.

    groups: the named groups that `match` has; None checks none.

    Raises:
        ValueError: what is wrong, with a did-you-mean.
    """
    tree = _parsed(template)
    check_names(meta.find_undeclared_variables(tree) - set(_ENVIRONMENT.globals), known, "object")
    if groups is None:
        return
    used = {
        str(node.attr)
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "match"
    }
    for name in sorted(used - set(groups)):
        raise ValueError(
            f"uses match.{name}, but there is no group {name!r} in describe.pattern or the rule's match; "
            f"groups: {', '.join(groups) or 'none'}"
        )


class Template:
    """One template, ready to be filled in for many keys by many threads."""

    def __init__(self, template: str) -> None:
        """template: one that `check_wording` accepted."""
        code = _ENVIRONMENT.compile(_with_bounds(_parsed(template)))
        self._template = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, code, _ENVIRONMENT.globals.copy())

    def fill(self, facts: Mapping[str, Any]) -> str:
        """The text for one key.

        Raises:
            TemplateFailed: with the reason.
        """
        parts: list[str] = []
        length = 0
        try:
            for part in self._template.generate({**facts, _STEPS: [0]}):
                length += len(part)
                if length > MOST_CHARACTERS:
                    _too_long(length)
                parts.append(part)
        except TemplateError:
            raise
        except Exception as error:  # a person's template may raise anything
            raise TemplateError(" ".join(str(error).split())[:300] or type(error).__name__) from error
        return "".join(parts)
