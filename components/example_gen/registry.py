"""The data formats: one line each, nothing else names them all.

A format is a `formats.base.Format`, named as `module:name`: its module is imported when the
format is used, since it loads OpenCV and the command line reads the names.
"""

from __future__ import annotations

STRIPS, SEQUENCES, PHOTOS = "strips", "sequences", "photos"

FORMATS = {
    STRIPS: "components.example_gen.formats.strips:FORMAT",
    SEQUENCES: "components.example_gen.formats.sequences:FORMAT",
    PHOTOS: "components.example_gen.formats.photographs:FORMAT",
}
