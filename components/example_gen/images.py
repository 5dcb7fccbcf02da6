"""Decoding images strictly: what is damaged or of the wrong depth is refused, not repaired.

OpenCV fills what a truncated file lacks with grey and converts depths silently, hence the
checks around it.
"""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from components.example_gen import files
from trainer.errors import UserError
from trainer.variants import PATCH_SIZE

PHOTOGRAPH_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp",
)  # fmt: skip
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


def read_grey(path: str) -> np.ndarray:
    """Reads an 8-bit grey or colour image as grey.

    Args:
        path: Image file, local or remote.

    Returns:
        uint8 [height, width]; colour is weighted by ITU-R BT.601, alpha is dropped.

    Raises:
        UserError: When the file is no image, is truncated or has not 8 bits per channel.
    """
    data = files.read_bytes(path)
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()  # refuses truncated files
            if image.format == "PNG":  # OpenCV prints warnings about harmless colour profiles
                return _grey_of_png(path, data, image)
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds
        raise UserError(
            f"{path}: cannot be decoded ({str(error) or type(error).__name__}), "
            f"expected a whole PNG, JPEG, TIFF, BMP, PPM, PGM or WebP image"
        ) from error
    pixels = _decode(data)
    if pixels is None:
        raise UserError(f"{path}: cannot be decoded by OpenCV; save it as an 8-bit PNG")
    if pixels.dtype != np.uint8:
        raise _wrong_depth(path, f"{pixels.dtype}")
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        return cv2.cvtColor(np.ascontiguousarray(pixels[:, :, :3]), cv2.COLOR_BGR2GRAY)
    if pixels.ndim == 3:  # grey, perhaps with alpha
        return np.ascontiguousarray(pixels[:, :, 0])
    return pixels


def read_strip(path: str) -> np.ndarray:
    """Reads one strip of an HPatches patch release.

    Args:
        path: 8-bit grey PNG, 65 pixels wide and 65 * N high.

    Returns:
        uint8 [N, 65, 65]; patch i is rows 65i..65i+64.

    Raises:
        UserError: When the file is anything else, damaged or cut short.
    """
    data = files.read_bytes(path)
    width, height, depth, colour = _check_png(path, data)
    if (depth, colour) != (8, 0):
        found = f"{depth}-bit {_PNG_COLOURS.get(colour, 'unknown')}"
        raise UserError(f"{path}: is a {found} PNG, expected 8-bit grey")
    if width != PATCH_SIZE:
        raise UserError(f"{path}: is {width} pixels wide, expected {PATCH_SIZE}")
    if height == 0 or height % PATCH_SIZE:
        raise UserError(f"{path}: is {height} pixels high, expected a multiple of {PATCH_SIZE}")
    pixels = _decode(data)
    if pixels is None or pixels.shape != (height, width) or pixels.dtype != np.uint8:
        raise UserError(f"{path}: cannot be decoded; copy the file again")
    return pixels.reshape(-1, PATCH_SIZE, PATCH_SIZE)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [height, width] as an 8-bit grey PNG."""
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise ValueError(f"cannot encode {pixels.dtype} {pixels.shape} as PNG")
    return data.tobytes()


def _grey_of_png(path: str, data: bytes, image: Image.Image) -> np.ndarray:
    depth = data[len(_PNG_SIGNATURE) + 16]  # of the IHDR chunk, which always stands first
    if depth > 8:
        raise _wrong_depth(path, f"{depth}-bit")
    if image.mode in ("P", "RGBA"):
        image = image.convert("RGB")  # drops alpha without blending
    if image.mode == "LA":
        return np.array(image.getchannel(0))
    return np.array(image.convert("L"))


def _wrong_depth(path: str, found: str) -> UserError:
    return UserError(f"{path}: holds {found} pixels, expected 8 bits per channel; convert it")


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _check_png(path: str, data: bytes) -> tuple[int, int, int, int]:
    """Walks the chunks of a PNG up to its end mark, checking their sums.

    Returns:
        Width, height, bit depth and colour type.

    Source: Portable Network Graphics Specification, chapters 5 and 11.2.2.
    """
    if not data.startswith(_PNG_SIGNATURE):
        raise UserError(f"{path}: is not a PNG, expected an 8-bit grey PNG strip")
    header: tuple[int, int, int, int] | None = None
    place = len(_PNG_SIGNATURE)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 4 : place + 8 + length]
        stored = data[place + 8 + length : place + 12 + length]
        if len(stored) < 4:
            break
        if zlib.crc32(body) != int.from_bytes(stored, "big"):
            raise UserError(f"{path}: is damaged ({kind!r} at byte {place}); copy the file again")
        if kind == b"IHDR":
            header = struct.unpack(">IIBB", body[4:14])
        if kind == b"IEND" and header:
            return header
        place += 12 + length
    raise UserError(
        f"{path}: is truncated after {len(data)} bytes, expected a whole PNG; copy the file again"
    )
