"""What a photograph's file says of the camera, and how its pixels are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

_FILM_WIDTH = 36.0  # millimetres, of the film that focal lengths are told for
_WITHOUT_EXIF = 1.2  # focal length by the longer side; COLMAP's default


@dataclass(frozen=True)
class Camera:
    """A camera as far as it is known.

    Attributes:
        width: Of its photographs in pixels, as stored.
        height: Likewise.
        focal_length: In pixels.
        known: Whether the focal length is told by the file; else it is a guess.
        device: Make and model; "" if they are not told.
    """

    width: int
    height: int
    focal_length: float
    known: bool
    device: str


def read(path: str, upright: np.ndarray) -> tuple[np.ndarray, Camera]:
    """Returns a photograph as it is stored, and its camera.

    COLMAP and hloc take pixels as they are stored; here images are read upright.

    Args:
        path: Image file that was read.
        upright: uint8 [height, width], turned as the EXIF orientation says.
    """
    with Image.open(path) as file:
        exif = file.getexif()
    stored = as_stored(upright, exif.get(ExifTags.Base.Orientation, 1))
    height, width = stored.shape
    device = " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in _DEVICE).strip()
    on_film = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    known = isinstance(on_film, int | float) and on_film > 0
    factor = float(on_film) / _FILM_WIDTH if known else _WITHOUT_EXIF  # type: ignore[arg-type]
    return stored, Camera(width, height, factor * max(width, height), known, device)


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes what an EXIF orientation asks for.

    Args:
        upright: [height, width].
        orientation: 1 to 8; others are as 1.
    """
    undo = {
        2: lambda image: image[:, ::-1],
        3: lambda image: image[::-1, ::-1],
        4: lambda image: image[::-1],
        5: lambda image: image.T,
        6: lambda image: np.rot90(image),
        7: lambda image: image[::-1, ::-1].T,
        8: lambda image: np.rot90(image, -1),
    }
    return np.ascontiguousarray(undo.get(orientation, lambda image: image)(upright))


_DEVICE = (ExifTags.Base.Make, ExifTags.Base.Model)
