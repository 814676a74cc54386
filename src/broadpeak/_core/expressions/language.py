# SPDX-License-Identifier: BSD-3-Clause
"""Parsing: a string → a checked tree → one compiled function of the names in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from broadpeak._core.check import did_you_mean
from broadpeak._core.expressions import guards
from broadpeak.errors import ConditionError, broken_rule, shown

MAX_LENGTH: Final = 10_000
"""Longest expression, in characters."""

MAX_DEPTH: Final = 100
"""Deepest nesting of an expression."""

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
    ast.BitAnd, ast.BitOr, ast.BitXor, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot, ast.Call, ast.Name, ast.Load, ast.Constant,
    ast.Tuple, ast.List, ast.Set,
)  # fmt: skip

_RULE = (
    "use only arithmetic, comparisons, and/or/not, in, literals, names and "
    "abs, min, max, round, len, int, float"
)

# Names inside the compiled function; a user's name never gets there, so none can collide.
_LONGEST = 100  # letters of a name that a message lists
_GUARDED = {ast.Pow: "_power", ast.Mult: "_times", ast.Mod: "_remainder"}
_GLOBALS: dict[str, object] = {
    "__builtins__": {},
    "_power": guards.power,
    "_times": guards.times,
    "_remainder": guards.remainder,
    **{f"_call_{name}": function for name, function in guards.FUNCTIONS.items()},
}


@dataclass(frozen=True, eq=False)
class Expression:
    """A checked expression."""

    text: str  # the source, for messages
    tree: ast.expr  # the checked tree
    names: tuple[str, ...]  # the names it reads, in order of appearance

    @cached_property
    def function(self) -> Callable[..., object]:
        """The expression as a function of its names, by position, with Python's semantics."""
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(f"_{i}") for i in range(len(self.names))],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        body = _Rewrite({name: f"_{i}" for i, name in enumerate(self.names)}).visit(self.tree)
        module = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        # The tree holds nothing but the allow-list: no attribute, no call but the guarded ones.
        return eval(compile(module, "<expression>", "eval"), _GLOBALS)  # type: ignore[no-any-return]

    @cached_property
    def conjuncts(self) -> tuple[Expression, ...]:
        """The parts that must all be true, in order: ``and`` and chains are taken apart."""
        parts = list(_conjuncts(self.tree))
        if len(parts) == 1:
            return (self,)
        return tuple(Expression(ast.unparse(part), part, names_of(part)) for part in parts)

    @staticmethod
    def all_of(parts: Sequence[Expression]) -> Expression:
        """Return the expression that all `parts` are true, evaluated in order as ``and`` does."""
        if len(parts) == 1:
            return parts[0]
        tree = ast.BoolOp(ast.And(), [part.tree for part in parts])
        return Expression(" and ".join(part.text for part in parts), tree, names_of(tree))

    def evaluate(self, values: Mapping[str, object]) -> Any:
        """Return the value of the expression, its names read from `values`.

        Raises
        ------
        ConditionError
            If a name is not in `values`, or the evaluation itself raises.
        """
        self.check_names(values)
        try:
            return self.function(*(values[name] for name in self.names))
        except Exception as error:
            given = ", ".join(f"{name}={shown(values[name], 80)}" for name in self.names)
            msg = (
                f"expression {self.text!r} must be computable, but it raised "
                f"{type(error).__name__}: {error} for {given or 'no names'}."
            )
            raise ConditionError(msg) from error

    def check_names(self, known: Collection[object], owner: str = "expression") -> None:
        """Raise `ConditionError` for the first name that is not in `known`, naming the nearest."""
        for name in self.names:
            if name not in known:
                raise unknown_name(name, known, f"{owner} {self.text!r}")


def unknown_name(name: str, known: Collection[object], where: str) -> ConditionError:
    """Return the error for a name that `where` may not use."""
    names = (key[:_LONGEST] if isinstance(key, str) else shown(key) for key in known)
    choices = ", ".join(sorted(names)) or "none"
    hint = did_you_mean(name, known) or "Check the spelling."
    msg = f"{where} must use known names only, got {name!r}. {hint} Known names: {choices}."
    error = ConditionError(msg)
    error.unknown = name
    return error


def parse(text: str, owner: str = "expression") -> Expression:
    """Parse `text` in the small language that conditions and templates share.

    Allowed are arithmetic (``+ - * / // % ** & | ^``), comparisons, also chained, ``and``,
    ``or``, ``not``, ``in``, ``not in``, ``is None``, literals (numbers, strings, None, booleans;
    tuples, lists and sets of them), names, and ``abs min max round len int float``.

    Parameters
    ----------
    text : str
        At most 10,000 characters.
    owner : str
        What the text is, for messages.

    Raises
    ------
    ConditionError
        If the text is anything else; it is checked before any of it is evaluated.

    Examples
    --------
    >>> parse("fast < slow and slow % 2 == 0").evaluate({"fast": 2, "slow": 4})
    True
    """
    if not isinstance(text, str):
        raise ConditionError(broken_rule(owner, "be a string", text))
    if len(text) > MAX_LENGTH:
        got = f"{text[:40]}… ({len(text)} characters)"
        raise ConditionError(broken_rule(owner, f"have at most {MAX_LENGTH} characters", got))
    return _parse(text, owner)


@lru_cache(maxsize=512)
def _parse(text: str, owner: str) -> Expression:
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or type(error).__name__
        raise ConditionError(
            broken_rule(owner, "be one expression", text, f"Python says: {reason}.")
        ) from error
    _check(tree, text, owner)
    return Expression(text.strip(), tree, names_of(tree))


def _check(tree: ast.expr, text: str, owner: str) -> None:
    """Raise for the first construct outside the allow-list; iterative, so depth cannot hurt."""
    stack: list[tuple[ast.AST, int]] = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ConditionError(broken_rule(owner, f"nest at most {MAX_DEPTH} deep", text))
        problem = _problem(node)
        if problem:
            raise ConditionError(broken_rule(owner, _RULE, text, f"Remove {problem}."))
        children = ast.iter_child_nodes(node)
        if isinstance(node, ast.Call):
            children = iter(node.args)
        stack.extend((child, depth + 1) for child in children)


def _problem(node: ast.AST) -> str:
    if not isinstance(node, _ALLOWED):
        return f"the {_construct_name(node)}"
    if isinstance(node, ast.Call):
        return _call_problem(node)
    if isinstance(node, ast.Constant):
        plain = node.value is None or isinstance(node.value, (bool, int, float, str, bytes))
        return "" if plain else f"the literal {node.value!r}"
    if isinstance(node, ast.Compare):
        for operator, right in zip(node.ops, node.comparators, strict=True):
            named = isinstance(right, ast.Constant) and any(
                right.value is marker for marker in (None, True, False)
            )
            if isinstance(operator, (ast.Is, ast.IsNot)) and not named:
                return "'is' or compare with == ('is' is for None, True and False)"
    return ""


def _call_problem(node: ast.Call) -> str:
    if not isinstance(node.func, ast.Name):
        return "the call of something that is not a name"
    if node.func.id not in guards.FUNCTIONS:
        hint = did_you_mean(node.func.id, guards.FUNCTIONS)
        return f"the call of {node.func.id!r}. {hint}".rstrip(". ")
    return "the keyword arguments" if node.keywords else ""


def _construct_name(node: ast.AST) -> str:
    """Return the name of a construct as a person would say it: ListComp → list comp."""
    name = type(node).__name__
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def names_of(tree: ast.AST) -> tuple[str, ...]:
    """Return the names `tree` reads, in order of appearance; called functions are none."""
    found: dict[str, None] = {}

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            found.setdefault(node.id)
        children = node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node)
        for child in children:
            walk(child)

    walk(tree)
    return tuple(found)


def _conjuncts(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        for value in tree.values:
            yield from _conjuncts(value)
    elif isinstance(tree, ast.Compare) and len(tree.ops) > 1:
        left = tree.left
        for operator, right in zip(tree.ops, tree.comparators, strict=True):
            yield ast.Compare(left, [operator], [right])
            left = right
    else:
        yield tree


class _Rewrite(ast.NodeTransformer):
    """Renames variables, and turns the operators and functions that need a guard into calls."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def visit_Name(self, node: ast.Name) -> ast.AST:  # the visitor protocol
        return ast.Name(self._variables[node.id], ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        target = node.func
        name = target.id if isinstance(target, ast.Name) else ""
        arguments = [self.visit(argument) for argument in node.args]
        return ast.Call(ast.Name(f"_call_{name}", ast.Load()), arguments, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        left, right = self.visit(node.left), self.visit(node.right)
        guard = _GUARDED.get(type(node.op))
        if guard is None:
            return ast.BinOp(left, node.op, right)
        return ast.Call(ast.Name(guard, ast.Load()), [left, right], [])

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        return ast.BoolOp(node.op, [self.visit(value) for value in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        return ast.UnaryOp(node.op, self.visit(node.operand))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        rights = [self.visit(right) for right in node.comparators]
        return ast.Compare(self.visit(node.left), node.ops, rights)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return ast.Tuple([self.visit(item) for item in node.elts], ast.Load())

    def visit_List(self, node: ast.List) -> ast.AST:
        return ast.List([self.visit(item) for item in node.elts], ast.Load())

    def visit_Set(self, node: ast.Set) -> ast.AST:
        return ast.Set([self.visit(item) for item in node.elts])
