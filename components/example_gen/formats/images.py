"""Decoding images strictly: what is damaged or of the wrong depth is refused, not repaired.

Pillow converts some depths silently, and OpenCV fills what a truncated file lacks with grey,
hence the checks around them.
"""

from __future__ import annotations

import io
import re
import struct
import warnings

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from components.core import files
from trainer.core.errors import UserError
from trainer.core.variants import PATCH_SIZE

# Told by their content, whatever a file's name says: no crafted file reaches the decoders of
# Pillow's and OpenCV's many other formats.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "PPM", "WEBP")
_MOST_PIXELS = 500_000_000  # 1.5 GB while colour is decoded
# Pillow's own limit is lower, and its warnings show paths of this program's packages.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")
_PNG_END = b"IEND\xaeB`\x82"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">8s4x4sIIBB")  # signature, IHDR, width, height, depth, colour
_PNG_DEPTH_AT = 24
# Width, height, and the largest value of a channel, with comments among them.
_NETPBM_HEADER = re.compile(rb"P[2356](?:\s+(?:#[^\n]*\n\s*)*\d+){2}\s+(?:#[^\n]*\n\s*)*(\d+)\s")
_PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


def read_grey(path: str) -> np.ndarray:
    """Reads an 8-bit grey or colour image as grey, upright as it is displayed.

    One rule for all formats: turned and mirrored as the EXIF orientation says (as OpenCV's
    `imread` does), alpha dropped without blending, PGM and PPM scaled by their maximum value.

    Returns:
        uint8 [height, width]; colour is weighted by ITU-R BT.601.

    Raises:
        UserError: When the file is no image, is truncated or has not 8 bits per channel.
    """
    return _read(path)


def read_small(path: str, least_side: int) -> np.ndarray:
    """Reads an image as `read_grey` does, smaller where that is much faster.

    Args:
        path: As for `read_grey`.
        least_side: JPEG is decoded at 1/2 to 1/8 of its size, not below this in pixels.
    """
    return _read(path, least_side)


def _read(path: str, least_side: int | None = None) -> np.ndarray:
    data = files.read_bytes(path)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(path, image)
            _check_bits(path, data, image)
            if least_side is not None:
                image.draft("L", (least_side, least_side))
            image.load()  # refuses truncated files
            upright = ImageOps.exif_transpose(image)
            if upright.mode == "LA":
                return np.array(upright.getchannel(0))
            if upright.mode in ("P", "RGBA", "CMYK"):
                upright = upright.convert("RGB")
            return np.array(upright.convert("L"))
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds
        raise _undecodable(path, error) from error


def check_header(path: str) -> None:
    """Looks at the first bytes of an image, so that many can be checked before one is used.

    Remote files are left alone: a look at each would take as long as reading it.

    Raises:
        UserError: When the file is no image or has not 8 bits per channel.
    """
    if files.is_remote(path):
        return
    files.check_file(path)
    try:
        with Image.open(path, formats=_FORMATS) as image:
            kind = image.format
            _check_size(path, image)
    except UserError:
        raise
    except Exception as error:
        raise _undecodable(path, error) from error
    if kind == "PNG":
        _check_depth(path, files.read_bytes(path, _PNG_HEADER.size))


def strip_length(path: str) -> int:
    """Returns the number of patches in a strip, from the first bytes of the file.

    Args:
        path: As for `read_strip`.

    Raises:
        UserError: When the header is not that of a strip.
    """
    data = files.read_bytes(path, _PNG_HEADER.size)
    _check_start(path, data)
    header = _PNG_HEADER.unpack(data)
    if header[1] != b"IHDR":
        raise _no_png(path)
    return _patches_of_strip(path, *header[2:])


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
    count = _patches_of_strip(path, *_check_png(path, data))
    pixels = _decode(data)
    shape = (count * PATCH_SIZE, PATCH_SIZE)
    if pixels is None or pixels.shape != shape or pixels.dtype != np.uint8:
        raise UserError(f"{path}: cannot be decoded; copy the file again")
    return pixels.reshape(-1, PATCH_SIZE, PATCH_SIZE)


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [height, width] as an 8-bit grey PNG."""
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise ValueError(f"cannot encode {pixels.dtype} {pixels.shape} as PNG")
    return data.tobytes()


def _check_size(path: str, image: Image.Image) -> None:
    if image.width * image.height > _MOST_PIXELS:
        raise UserError(
            f"{path}: is {image.width}x{image.height} pixels, expected at most "
            f"{_MOST_PIXELS // 1_000_000} megapixels; shrink it"
        )


def _check_bits(path: str, data: bytes, image: Image.Image) -> None:
    """Refuses more than 8 bits per channel, which Pillow would cut or scale down silently."""
    if image.format == "PNG":
        _check_depth(path, data)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
        if bits > 8:
            raise _wrong_depth(path, f"{bits}-bit")
    elif image.format == "PPM" and (header := _NETPBM_HEADER.match(data)) and int(header[1]) > 255:
        raise _wrong_depth(path, "16-bit")
    if image.mode[0] in "IF":
        raise _wrong_depth(path, f"{image.mode}")


def _check_depth(path: str, data: bytes) -> None:
    depth = data[_PNG_DEPTH_AT]
    if depth > 8:
        raise _wrong_depth(path, f"{depth}-bit")


def _patches_of_strip(path: str, width: int, height: int, depth: int, colour: int) -> int:
    """Checks what a PNG header says of a strip and returns the number of patches."""
    if (depth, colour) != (8, 0):
        kind = f"{'an' if depth == 8 else 'a'} {depth}-bit {_PNG_COLOURS.get(colour, 'unknown')}"
        raise UserError(f"{path}: is {kind} PNG, expected 8-bit grey; convert it")
    if width != PATCH_SIZE:
        raise UserError(f"{path}: is {width} pixels wide, expected {PATCH_SIZE}")
    if height == 0 or height % PATCH_SIZE:
        raise UserError(f"{path}: is {height} pixels high, expected a multiple of {PATCH_SIZE}")
    return height // PATCH_SIZE


def _undecodable(path: str, error: Exception) -> UserError:
    reason = str(error) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):  # its text shows an address in memory
        reason = "no image format is recognised"
    elif isinstance(error, OSError) and error.strerror:
        return UserError(f"{path}: cannot be read ({error.strerror})")
    return UserError(
        f"{path}: cannot be decoded ({reason}), "
        f"expected a whole PNG, JPEG, TIFF, BMP, PPM, PGM or WebP image"
    )


def _check_start(path: str, data: bytes) -> None:
    if not data.startswith(_PNG_SIGNATURE[: len(data)]):
        raise _no_png(path)
    if len(data) < _PNG_HEADER.size:
        raise _truncated(path, len(data))


def _no_png(path: str) -> UserError:
    return UserError(f"{path}: is not a PNG, expected an 8-bit grey PNG strip")


def _truncated(path: str, length: int) -> UserError:
    return UserError(
        f"{path}: is truncated after {length} bytes, expected a whole PNG; copy the file again"
    )


def _wrong_depth(path: str, depth: str) -> UserError:
    return UserError(f"{path}: holds {depth} pixels, expected 8 bits per channel; convert it")


def _decode(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _check_png(path: str, data: bytes) -> tuple[int, int, int, int]:
    """Checks the sums of a PNG up to its end mark.

    Returns:
        Width, height, bit depth and colour type.
    """
    _check_start(path, data)
    if _PNG_END not in data:
        raise _truncated(path, len(data))
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            image.verify()
    except Exception as error:  # Pillow's decoders raise many kinds
        raise UserError(f"{path}: is damaged ({error}); copy the file again") from error
    return _PNG_HEADER.unpack(data[: _PNG_HEADER.size])[2:]
