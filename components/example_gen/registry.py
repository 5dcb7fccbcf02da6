"""The data formats: one line each, nothing else names them all.

A format is a module with a `FORMAT` (see `formats.base.Format`); modules are imported when a
format is used, since they load OpenCV and the command line reads the names.
"""

from __future__ import annotations

FORMATS = {
    "strips": "components.example_gen.formats.strips",
    "sequences": "components.example_gen.formats.sequences",
    "photos": "components.example_gen.formats.photographs",
}
