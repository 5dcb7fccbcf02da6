"""Two photographs of one picture with a known homography between them."""

import cv2
import numpy as np

from components.example_gen.formats import images
from tests.support.pictures import texture

TRUE = np.array([[0.93, -0.25, 70], [0.22, 0.95, -10], [1e-4, 5e-5, 1]])
SIZE = (320, 260)


def write(folder):
    """Writes a.png, b.png and H_1_2, and returns their paths."""
    first = texture(*SIZE, seed=5)
    second = cv2.warpPerspective(first, TRUE, (340, 320), flags=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 4, second.shape)
    second = np.clip(0.8 * second + 20 + noise, 0, 255).astype(np.uint8)
    paths = [folder / name for name in ("a.png", "b.png", "H_1_2")]
    paths[0].write_bytes(images.encode_png(first))
    paths[1].write_bytes(images.encode_png(second))
    np.savetxt(paths[2], TRUE)
    return [str(path) for path in paths]
