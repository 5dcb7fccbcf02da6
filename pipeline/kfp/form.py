"""Compares a plain tree with the definition of a protocol buffer: unknown fields, wrong types.

`json_format.ParseDict` does the same, but tells of a list of texts with a number in it only
that it "expected string or bytes-like object", and not where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_INTEGERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
_NUMBERS = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
_DURATION = re.compile(r"\d+(\.\d{1,9})?s")
_MOST_CHARACTERS = 60


def problems(tree: Any, definition: Descriptor, where: str) -> Iterator[str]:
    """Yields a sentence per place where a tree is not what the definition says.

    Args:
        tree: A message as `json.load` or `yaml.safe_load` returns it.
        definition: `DESCRIPTOR` of the message.
        where: Key that leads to the tree; empty for the whole.
    """
    if definition.full_name in ("google.protobuf.Value", "google.protobuf.ListValue"):
        return  # whatever it is, it was JSON
    if definition.full_name == "google.protobuf.Duration":
        if not isinstance(tree, str) or not _DURATION.fullmatch(tree):
            yield _found(where, tree, "seconds as a text, e.g. 60s")
        return
    if not isinstance(tree, Mapping):
        yield _found(where, tree, "a mapping")
        return
    if definition.full_name == "google.protobuf.Struct":
        return
    fields = {name: field for field in definition.fields for name in (field.name, field.json_name)}
    for key, value in tree.items():
        place = f"{where}.{key}" if where else str(key)
        if key in fields:
            yield from _field(value, fields[key], place)
        else:
            known = ", ".join(field.json_name for field in definition.fields)
            yield f"{place}: unknown, expected one of {known or '(none)'}"


def _field(value: Any, field: FieldDescriptor, where: str) -> Iterator[str]:
    if field.label != FieldDescriptor.LABEL_REPEATED:
        yield from _single(value, field, where)
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        if isinstance(value, Mapping):
            of_value = field.message_type.fields_by_name["value"]
            yield from _each(((f"{where}.{key}", item) for key, item in value.items()), of_value)
        else:
            yield _found(where, value, "a mapping")
    elif isinstance(value, list):
        yield from _each(((f"{where}[{n}]", item) for n, item in enumerate(value)), field)
    else:
        yield _found(where, value, "a list")


def _each(items: Iterable[tuple[str, Any]], field: FieldDescriptor) -> Iterator[str]:
    for where, item in items:
        yield from _single(item, field, where)


def _single(value: Any, field: FieldDescriptor, where: str) -> Iterator[str]:
    if field.message_type is not None:
        yield from problems(value, field.message_type, where)
        return
    kind = field.cpp_type
    if field.enum_type is not None:
        names = list(field.enum_type.values_by_name)
        if value not in names and (_is_flag(value) or not isinstance(value, int)):
            yield _found(where, value, f"one of {', '.join(names)}")
    elif kind == FieldDescriptor.CPPTYPE_BOOL:
        if not _is_flag(value):
            yield _found(where, value, "true or false")
    elif kind in _INTEGERS:
        if not _is_number(value) or float(value) % 1:
            yield _found(where, value, "an integer")
    elif kind in _NUMBERS:
        if not _is_number(value):
            yield _found(where, value, "a number")
    elif not isinstance(value, str):
        yield _found(where, value, "a text")


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Tells whether it is a number, which the JSON of protocol buffers may write as a text."""
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not _is_flag(value)


def _found(where: str, value: Any, expected: str) -> str:
    text = repr(value)
    shown = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
    return f"{where}: found {shown}, expected {expected}"
