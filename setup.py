"""Installs the `hpatches` command and its three packages.

Dependencies are not repeated here: the files of `requirements/` lock them with
hashes, and `make setup` installs that lock before it installs this project.
"""

from setuptools import find_packages, setup

setup(
    name="hpatches-pipeline",
    version="0.1.0",
    description="Train, judge and ship local patch descriptors with TFX.",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["pipeline*", "components*", "trainer*"]),
    package_data={
        "pipeline": ["configs/*.yaml"],
        "components": ["**/*.csv", "**/*.json", "**/*.pbtxt", "**/*.j2", "**/*.css"],
    },
    entry_points={"console_scripts": ["hpatches=pipeline.cli:main"]},
)
