"""Makes the bytes of a SavedModel depend on what it computes alone.

TensorFlow names functions by a counter of everything that the process has traced: a training
that was interrupted and went on would export other bytes, and so another checksum, than one
that ran through. Newer versions also draw a random identifier for each export.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model import fingerprinting_utils

from trainer.model.names import SAVED_MODEL_FILE

_FINGERPRINT = "fingerprint.pb"
_COUNTED = re.compile(r"(__\w+?)_(\d+)")  # a function's name ends in TensorFlow's counter


def rewrite(path: str) -> None:
    """Renames the functions of a SavedModel by their order, and renews its fingerprint.

    Args:
        path: The SavedModel; its graph and fingerprint are written anew.
    """
    graph = posixpath.join(path, SAVED_MODEL_FILE)
    saved = saved_model_pb2.SavedModel.FromString(_read(graph))
    for meta in saved.meta_graphs:
        library = meta.graph_def.library.function
        names = _by_order([function.signature.name for function in library])
        _rename(meta, names)
        ordered = sorted(library, key=lambda function: function.signature.name)
        del library[:]
        library.extend(ordered)
    _write(graph, saved.SerializeToString(deterministic=True))
    _renew_fingerprint(path, saved.meta_graphs[0].object_graph_def)


def _by_order(names: list[str]) -> dict[str, str]:
    """Returns new names by old ones: the counter becomes a number from 0 for each stem.

    Example:
        >>> _by_order(["__inference_describe_70", "__inference_describe_9", "cond_true"])
        {'__inference_describe_9': '__inference_describe_0', \
'__inference_describe_70': '__inference_describe_1'}
    """
    counted = [match for match in map(_COUNTED.fullmatch, names) if match]
    seen: Counter[str] = Counter()
    renamed = {}
    for match in sorted(counted, key=lambda match: int(match[2])):
        renamed[match[0]] = f"{match[1]}_{seen[match[1]]}"
        seen[match[1]] += 1
    return renamed


def _rename(message: Message, names: Mapping[str, str]) -> None:
    """Replaces names wherever they stand: in fields, lists and keys of maps."""
    for field, value in message.ListFields():
        if _is_map(field):
            _rename_in_map(value, names)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in _each(value):
                _rename(part, names)
        elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            if isinstance(value, str | bytes):
                setattr(message, field.name, _new(value, names))
            else:
                value[:] = [_new(part, names) for part in value]


def _rename_in_map(entries: Any, names: Mapping[str, str]) -> None:
    for value in entries.values():
        if isinstance(value, Message):
            _rename(value, names)
    moved = {key: entries[key] for key in entries if key in names}
    copies = {
        names[key]: type(value).FromString(value.SerializeToString())
        for key, value in moved.items()
    }
    for key in moved:
        del entries[key]
    for key, value in copies.items():
        entries[key].CopyFrom(value)


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _each(value: Any) -> Iterator[Message]:
    yield from [value] if isinstance(value, Message) else value


def _new(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        return names[text].encode() if text in names else value
    return names.get(value, value)


def _renew_fingerprint(path: str, objects: Message) -> None:
    fingerprinting_utils.write_fingerprint(path)
    place = posixpath.join(path, _FINGERPRINT)
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(_read(place))
    # TensorFlow's hash of the objects follows the order of a hash table.
    fingerprint.saved_object_graph_hash = int.from_bytes(_digest(objects)[:8], "big")
    if "uuid" in fingerprint.DESCRIPTOR.fields_by_name:  # random
        fingerprint.ClearField("uuid")
        fingerprint.uuid = str(uuid.UUID(bytes=_digest(fingerprint)[:16]))
    _write(place, fingerprint.SerializeToString(deterministic=True))


def _digest(message: Message) -> bytes:
    return hashlib.sha256(message.SerializeToString(deterministic=True)).digest()


def _read(path: str) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _write(path: str, content: bytes) -> None:
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
