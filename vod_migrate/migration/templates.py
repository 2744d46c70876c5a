"""Templates of descriptions, prefixes and locations: Jinja2 without what could reach out, run on or grow without bound.

A migration file, and a prefix in the trigger form, may come from anybody; a template is filled in for millions of keys by a
process that holds credentials. So there is one environment, which lists what is allowed. Each guard stops something:

    statements      only `if`: a loop runs on, and `set` doubles a text with each line
    attributes      only listed ones: `__class__` and others reach Python's internals, `format` pads to any width
    `*` and `%`     for numbers only: 'a' * 10**10, '%0999999999d' % 1; there is no `**`
    filters         only listed ones (`center` pads, `attr` reaches out), each value and result at most 16 KiB
    join, replace   check the length of their result before they make it, since they multiply two texts
    `~` and output  no lists: the text of a list of characters is five times as long, and can be a list again

What the file cannot be used with is refused when it is read, by `check_template`.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vod_migrate.errors import BadOption

PREFIX_FACTS = ("date", "interval_start", "interval_end")
"""What a prefix, or the location of a manifest, may use about its run."""

TEMPLATE_CHARACTERS = 4_096
MOST_CHARACTERS = 16_384
"""Longest text on the way: 16 times the longest field that RegisterMedia takes."""

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.CondExpr, nodes.Getattr,
    nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.Concat, nodes.Compare,
    nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
    nodes.FloorDiv, nodes.Mod, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair,
)  # fmt: skip
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "first", "float", "int", "last", "length", "list", "lower", "map", "max",
    "min", "reject", "reverse", "select", "sort", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
_TEXT_METHODS = frozenset([
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit",
    "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition", "removeprefix", "removesuffix",
    "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
    "title", "upper",
])  # fmt: skip
_DATE_ATTRIBUTES = frozenset([
    "year", "month", "day", "hour", "minute", "second", "date", "time", "weekday", "isoweekday", "isocalendar", "isoformat",
    "replace", "strftime", "timestamp",
])  # fmt: skip


class TemplateError(Exception):
    """A template that cannot be filled in for one key or run; the text says why."""


def _check_length(length: int) -> None:
    if length > MOST_CHARACTERS:
        raise TemplateError(f"an intermediate text has {length:,} characters; at most {MOST_CHARACTERS:,} are allowed")


def _bounded(value: Any) -> Any:
    if isinstance(value, str | tuple | list):
        _check_length(len(value))
    return value


def _text(value: Any) -> Any:
    """A value that may become text."""
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        raise TemplateError("a list is used where text is needed: use `| join(', ')`, or one of its elements")
    return _bounded(value)


def _replace(text: Any, old: Any, new: Any, count: int | None = None) -> str:
    whole, old, new = str(_text(text)), str(_text(old)), str(_text(new))
    most = -1 if count is None else count
    found = whole.count(old) if most < 0 else min(most, whole.count(old))
    _check_length(len(whole) + found * (len(new) - len(old)))
    return whole.replace(old, new, most)


def _join(values: Any, between: Any = "") -> str:
    if isinstance(values, Undefined):
        return str(values)
    parts, between = [str(_text(value)) for value in values], str(_text(between))
    _check_length(sum(map(len, parts)) + len(between) * len(parts))
    return str(between.join(parts))


def _guarded(made: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(made)
    def called(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _bounded(value)
        return _bounded(made(*args, **kwargs))

    return called


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_text, keep_trailing_newline=True)
        self.filters = {name: _guarded(FILTERS[name]) for name in _FILTERS}
        self.filters |= {"replace": _replace, "join": _join, "string": lambda value: str(_text(value))}
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            # A group or a column may be called as a method of dict is.
            if attribute in obj:
                return obj[attribute]
            return self.undefined(f"{attribute!r} is not among {', '.join(map(str, obj)) or 'nothing'}")
        listed = _DATE_ATTRIBUTES if hasattr(obj, "strftime") else _TEXT_METHODS if isinstance(obj, str) else ()
        if attribute not in listed:
            return self.unsafe_undefined(obj, attribute)
        return (
            functools.partial(_replace, obj) if (attribute, type(obj)) == ("replace", str) else getattr(obj, attribute)
        )

    def getitem(self, obj: Any, argument: Any) -> Any:
        # Jinja2 tries an attribute of that name next, which only the other way of writing it may do.
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            _bounded(value)
        return _bounded(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator != "+" and not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise TemplateError(f"{operator} is for numbers only")
        return _bounded(super().call_binop(context, operator, left, right))


_ENVIRONMENT = _Environment()
_AS_TEXT = "_text"
_ENVIRONMENT.filters[_AS_TEXT] = _text


def _parsed(template: str) -> nodes.Template:
    """The tree of a template that keeps to what is allowed.

    Raises:
        ValueError: it does not.
    """
    if len(template) > TEMPLATE_CHARACTERS:
        raise ValueError(f"has {len(template):,} characters; a template may have at most {TEMPLATE_CHARACTERS:,}")
    try:
        tree = _ENVIRONMENT.parse(template)
        _check_nodes(tree)
        _ENVIRONMENT.compile(template)
    except TemplateSyntaxError as error:
        raise ValueError(f"is not a Jinja2 template: {error.message} (line {error.lineno})") from None
    except (RecursionError, MemoryError, SyntaxError):
        raise ValueError("is nested too deeply") from None
    return tree


def _check_nodes(node: nodes.Node) -> None:
    kind = "self" if isinstance(node, nodes.Name) and node.name == "self" else type(node).__name__.lower()
    if kind == "self" or not isinstance(node, _ALLOWED):
        raise ValueError(f"uses {kind!r} in line {node.lineno}, which is not allowed in templates")
    for child in node.iter_child_nodes():
        _check_nodes(child)


def check_template(template: str, known: Collection[str], groups: Collection[str] | None = None) -> None:
    """Whether a template can be read, keeps to what is allowed, and uses only the names that are defined for it.

    groups: the named groups that `match` has; None checks none.

    Raises:
        ValueError: what is wrong, with a did-you-mean.
    """
    names, attributes = _used(template)
    for name in sorted(names - set(known)):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"uses {name!r}, which is not defined here; {hint}")
    for group in attributes if groups is not None else ():
        if group not in (groups or ()):
            raise ValueError(
                f"uses match.{group}, but there is no group {group!r} in describe.pattern or the rule's match; "
                f"groups: {', '.join(groups or ()) or 'none'}"
            )


@functools.lru_cache(maxsize=1024)
def _used(template: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names that a template uses, and the attributes of `match`. A run's file is read again with each look at the run."""
    tree = _parsed(template)
    attributes = tuple(
        node.attr
        for node in tree.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "match"
    )
    return frozenset(meta.find_undeclared_variables(tree)), attributes


class Template:
    """One template, ready to be filled in for many keys by many threads."""

    def __init__(self, template: str) -> None:
        """template: one that `check_template` accepted."""
        tree = _parsed(template)
        for joined in tree.find_all(nodes.Concat):
            joined.nodes = [
                nodes.Filter(part, _AS_TEXT, [], [], None, None, lineno=part.lineno, environment=_ENVIRONMENT)
                for part in joined.nodes
            ]
        self._template = _ENVIRONMENT.template_class.from_code(_ENVIRONMENT, _ENVIRONMENT.compile(tree), {})

    def fill(self, facts: Mapping[str, Any]) -> str:
        """The text for one key or run.

        Raises:
            TemplateError: with the reason.
        """
        try:
            return str(_bounded(self._template.render(facts)))
        except TemplateError:
            raise
        except Exception as error:  # a person's template may raise anything
            raise TemplateError(" ".join(str(error).split())[:300] or type(error).__name__) from error


def render(template: str, facts: Mapping[str, Any], what: str) -> str:
    """Fills in a prefix or a location. what: its name for errors.

    Raises:
        BadOption: the run lacks what it uses; says how to give it.
    """
    try:
        return Template(template).fill(facts)
    except (TemplateError, ValueError) as error:
        raise BadOption(f"{what} {template!r} cannot be rendered: {error}; {_fix(error)}") from error


def _fix(error: Exception) -> str:
    if not isinstance(error.__cause__, UndefinedError) or not str(error).endswith("is undefined"):
        return "correct the template"
    if "interval_" in str(error):
        return "start the run by its schedule or a backfill, so that it has an interval"
    return "give the run a date (--date YYYY-MM-DD, or `date` in the trigger form), or start it by its schedule or a backfill"
