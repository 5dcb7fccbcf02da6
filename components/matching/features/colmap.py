"""COLMAP's database: cameras, images, keypoints with their affine shapes, descriptors, matches.

Written with SQLite in the tables that COLMAP has had since 3.0; newer versions (with `rigs` and
`frames`) add what they miss when they open it. In COLMAP, the corner of the first pixel is
(0, 0), so keypoints move by half a pixel. Matches are written as matches: which of them agree
with a geometry is COLMAP's to find (`colmap geometric_verifier` or `matches_importer`).

Photographs of the same size, focal length and device share a camera of the model SIMPLE_RADIAL.

Source: src/colmap/scene/database_sqlite.cc (Schönberger and Frahm, CVPR 2016).
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.matching.features import new_file
from components.matching.features.cameras import Camera
from components.matching.features.features import (
    Add,
    Features,
    checked,
    read_identity,
    told_damaged,
)
from components.matching.features.hloc import AddMatches
from components.matching.mutual import Matches
from trainer.core.errors import UserError
from trainer.model import colmap_bytes

_SIMPLE_RADIAL = 2
_MOST_IMAGES = 2147483647  # a pair's number is the first image's times this and the second's
_IDENTITY = "hpatches_descriptor"  # a table of ours, which COLMAP leaves alone
_SCHEMA = f"""
CREATE TABLE cameras (
    camera_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, model INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, params BLOB,
    prior_focal_length INTEGER NOT NULL);
CREATE TABLE images (
    image_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL UNIQUE,
    camera_id INTEGER NOT NULL, prior_qw REAL, prior_qx REAL, prior_qy REAL, prior_qz REAL,
    prior_tx REAL, prior_ty REAL, prior_tz REAL,
    CONSTRAINT image_id_check CHECK(image_id >= 0 and image_id < {_MOST_IMAGES}),
    FOREIGN KEY(camera_id) REFERENCES cameras(camera_id));
CREATE UNIQUE INDEX index_name ON images(name);
CREATE TABLE keypoints (
    image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL,
    data BLOB, FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
CREATE TABLE descriptors (
    image_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL,
    data BLOB, FOREIGN KEY(image_id) REFERENCES images(image_id) ON DELETE CASCADE);
CREATE TABLE matches (
    pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB);
CREATE TABLE two_view_geometries (
    pair_id INTEGER PRIMARY KEY NOT NULL, rows INTEGER NOT NULL, cols INTEGER NOT NULL, data BLOB,
    config INTEGER NOT NULL, F BLOB, E BLOB, H BLOB, qvec BLOB, tvec BLOB);
CREATE TABLE {_IDENTITY} (identity TEXT NOT NULL);
"""
_LENGTH = colmap_bytes.LENGTH / math.hypot(1, colmap_bytes.OFFSET)  # of descriptors as bytes
_PUT_ARRAY = "INSERT INTO {} VALUES (?, ?, ?, ?)"


@contextlib.contextmanager
def writing_features(path: str, identity: dict[str, Any]) -> Iterator[Add]:
    """Opens a new database; see `features.Writer`."""
    with new_file.writing(path) as place, _open(path, str(place)) as database:
        database.executescript(_SCHEMA)
        database.execute(f"INSERT INTO {_IDENTITY} VALUES (?)", [json.dumps(identity)])
        cameras: dict[Camera, int] = {}

        def add(features: Features) -> None:
            codes = colmap_bytes.encode(features.descriptors)
            if features.camera not in cameras:
                cameras[features.camera] = _put_camera(database, features.camera)
            image = database.execute(
                "INSERT INTO images (name, camera_id) VALUES (?, ?)",
                [features.name, cameras[features.camera]],
            ).lastrowid
            shapes = affine_keypoints(features.positions, features.angles)
            database.execute(_PUT_ARRAY.format("keypoints"), [image, *_blob(shapes)])
            database.execute(_PUT_ARRAY.format("descriptors"), [image, *_blob(codes)])

        yield add
        database.commit()


def affine_keypoints(positions: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Returns keypoints as COLMAP has them, float32 [N, 6].

    Args:
        positions: float [N, 3]: x, y, sigma; the centre of the first pixel is (0, 0).
        angles: float [N] in radians.

    Returns:
        x, y and the matrix from a circle of radius 1 to that of the keypoint, row by row.

    Example:
        >>> affine_keypoints(np.array([[3.0, 4.0, 2.0]]), np.array([0.0])).tolist()
        [[3.5, 4.5, 2.0, -0.0, 0.0, 2.0]]
    """
    x, y, sigma = positions.T.astype(np.float64)
    c, s = sigma * np.cos(angles), sigma * np.sin(angles)
    return np.stack([x + 0.5, y + 0.5, c, -s, s, c], axis=1).astype(np.float32)


class Database:
    """A COLMAP database whose descriptors are read; see `features.Store`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._database = stack.enter_context(_open(path, Path(path).absolute().as_uri(), "ro"))
            self._images, self.counts = _images(self._database)
            if not self.counts:
                raise UserError(f"{path}: holds no keypoints, expected a COLMAP database with some")
            told = None
            if _has_table(self._database, _IDENTITY):
                told = self._database.execute(f"SELECT identity FROM {_IDENTITY}").fetchone()
            self.identity = read_identity(path, told[0] if told else None)
            self._stack = stack.pop_all()

    def descriptors(self, name: str) -> np.ndarray:
        """Returns a photograph's bytes, float32 [N, 128], at the descriptors' distances."""
        with told_damaged(self.path, "a COLMAP database"):
            row = self._database.execute(
                "SELECT rows, cols, data FROM descriptors WHERE image_id = ?", [self._images[name]]
            ).fetchone()
            codes = np.empty((0, 0), np.uint8) if row is None else _bytes(*row)
            return checked(self.path, name, codes, self.counts[name]) / np.float32(_LENGTH)

    def close(self) -> None:
        """Closes the database."""
        self._stack.close()


@contextlib.contextmanager
def adding_matches(path: str) -> Iterator[AddMatches]:
    """Opens a database to which matches are added: all of them, or none after an error.

    Raises:
        UserError: When it is no database of these photographs, or holds matches of a pair.
    """
    with _open(path, Path(path).absolute().as_uri(), "rw") as database:
        images, counts = _images(database)

        def add(first: str, second: str, count: int, matches: Matches) -> None:
            for name in (first, second):
                if name not in images:
                    raise UserError(f"{path}: holds no keypoints of {name}; add them first")
            if counts[first] != count:
                raise UserError(
                    f"{path}: holds {counts[first]} keypoints of {first}, expected the {count} of "
                    f"the features; write both files by one `hpatches features`"
                )
            number, exchanged = pair_number(images[first], images[second])
            rows = np.stack([matches.first, matches.second], axis=1).astype(np.uint32)
            rows = np.ascontiguousarray(rows[:, ::-1] if exchanged else rows)
            try:
                database.execute(_PUT_ARRAY.format("matches"), [number, *_blob(rows)])
            except sqlite3.IntegrityError:
                raise UserError(
                    f"{path}: holds matches of {first} and {second} already; delete them, or "
                    f"leave the pair out"
                ) from None

        yield add
        database.commit()


def check_for_matches(path: str) -> None:
    """Refuses before the work what `adding_matches` would refuse."""
    with _open(path, Path(path).absolute().as_uri(), "rw") as database:
        _images(database)
        database.execute("BEGIN IMMEDIATE")
        database.rollback()


def pair_number(first: int, second: int) -> tuple[int, bool]:
    """Returns COLMAP's number of a pair of images, and whether it exchanges them.

    Example:
        >>> pair_number(1, 2), pair_number(2, 1)
        ((2147483649, False), (2147483649, True))
    """
    low, high = sorted((first, second))
    return low * _MOST_IMAGES + high, first > second


def _put_camera(database: sqlite3.Connection, camera: Camera) -> int:
    params = np.array([camera.focal_length, camera.width / 2, camera.height / 2, 0.0])
    values = [_SIMPLE_RADIAL, camera.width, camera.height, params.tobytes(), int(camera.known)]
    row = database.execute(
        "INSERT INTO cameras (model, width, height, params, prior_focal_length) "
        "VALUES (?, ?, ?, ?, ?)",
        values,
    )
    assert row.lastrowid is not None, "a row was inserted"
    return row.lastrowid


def _blob(values: np.ndarray) -> tuple[int, int, bytes]:
    return len(values), values.shape[1], values.tobytes()


def _images(database: sqlite3.Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Returns number and count of keypoints by name, of images that have keypoints."""
    rows = database.execute(
        "SELECT name, images.image_id, rows FROM images JOIN keypoints "
        "ON images.image_id = keypoints.image_id ORDER BY name"
    ).fetchall()
    if not all(isinstance(name, str) and isinstance(count, int) for name, _, count in rows):
        raise sqlite3.DatabaseError("names or counts are none")
    return {name: number for name, number, _ in rows}, {name: count for name, _, count in rows}


def _bytes(rows: int, columns: int, data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8).reshape(rows, columns)


def _has_table(database: sqlite3.Connection, name: str) -> bool:
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [name]).fetchone())


@contextlib.contextmanager
def _open(path: str, place: str, mode: str = "") -> Iterator[sqlite3.Connection]:
    """Opens SQLite at a path, or with `mode` at a URI; its refusals are told of `path`."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{place}?mode={mode}" if mode else place, uri=bool(mode))
        ) as database:
            yield database
    except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: cannot be used as a COLMAP database ({error}), expected one that is whole, "
            f"not locked, and may be written"
        ) from error
