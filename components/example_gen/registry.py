"""The data formats: one line each, nothing else names them all.

A format is a `formats.base.Format`, named as `module:name`: its module is imported when the
format is used, since it loads OpenCV and the command line reads the names.
"""

from __future__ import annotations

FORMATS = {
    "strips": "components.example_gen.formats.strips:FORMAT",
    "sequences": "components.example_gen.formats.sequences:FORMAT",
    "photos": "components.example_gen.formats.photographs:FORMAT",
}
