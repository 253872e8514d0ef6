"""YAML that a person wrote, read as plain data: safely, and with one kind of error.

Design: PyYAML's safe loader runs nothing, but it raises whatever Python raises while a value is built (`2020-99-99` is
a ValueError, `!!bool x` a KeyError, a thousand brackets a RecursionError), it hands out lone surrogates that no file
can hold, and its aliases make a few lines stand for more values than memory has ("billion laughs"), which all that
copies or prints them then walks through. So values are counted as they would be written out, and all of it ends as one
ValueError with words. So does a key that stands twice: PyYAML takes the last without a word, and what was written under
the first is lost.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode

MOST_VALUES = 1_000_000
"""Written out in full; the largest syllabus that comes with the package has some thousands."""

DEEPEST = 100
"""Levels of nesting; what reads the values recurses, and Python's own limit is some hundreds."""


def parse_yaml(text: str) -> Any:
    """Plain data of the YAML document `text`. Raises ValueError saying what cannot be read."""
    try:
        value = yaml.load(text, _Once)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # A tag or a form that promises a number, a date or a truth value, and something else behind it.
        raise ValueError(f"a value is not of the type it is written as ({type(error).__name__}: {error})") from None
    _count(value, {}, ())
    return value


class _Once(yaml.SafeLoader):
    """The safe loader, for mappings whose keys stand once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if isinstance(node, MappingNode) else ():
            if isinstance(key, ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands here a second time", key.start_mark
                    )
                seen.add((key.tag, key.value))
        constructed: dict[Any, Any] = super().construct_mapping(node, deep)
        return constructed


def _count(value: Any, known: dict[int, int], above: tuple[int, ...]) -> int:
    """Values in `value`, aliases counted each time. Raises ValueError for what no file should say."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character (a lone surrogate)") from None
        return 1
    if isinstance(value, set | bytes | tuple):
        raise ValueError(f"a value is tagged as a {type(value).__name__}, which nothing here takes")
    if not isinstance(value, dict | list):
        return 1
    if id(value) in known:
        return known[id(value)]
    if id(value) in above:
        raise ValueError("a value holds itself")
    if len(above) >= DEEPEST:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
    inner = (*above, id(value))
    items = [*value, *value.values()] if isinstance(value, dict) else list(value)
    total = 1 + sum(_count(item, known, inner) for item in items)
    if total > MOST_VALUES:
        raise ValueError(f"its aliases stand for more than {MOST_VALUES:,} values")
    known[id(value)] = total
    return total
