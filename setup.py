"""Installs the `hpatches` command and its three packages.

`pip install .` brings what a finished model needs, without TensorFlow, TFX and Beam: describe,
features, match and evaluate with an exported file. `pip install .[pipeline]` brings the rest, as
far as TFX's own requirements can be met; what is tested is what `make setup` installs from the
locks in `requirements/`.
"""

from setuptools import find_packages, setup

LIGHT = [  # as requirements/optional/light.in, which is locked
    "click",
    "h5py",
    "matplotlib",
    "numpy",
    "onnxruntime",
    "opencv-python-headless<5",
    "pydantic>=2",
    "pyyaml",
    "requests",
    "rich",
    "ruamel.yaml",
    "scipy",
]
_OLDER, _NEWER = "; python_version < '3.12'", "; python_version >= '3.12'"
PIPELINE = [  # as requirements/tfx/*.in
    "tfx[kfp]==1.16.0" + _OLDER,
    "tfx==1.21.0" + _NEWER,
    "tensorflow==2.16.2" + _OLDER,
    "tensorflow==2.21.*" + _NEWER,
    "tf-keras==2.16.0" + _OLDER,
    "tf-keras==2.21.*" + _NEWER,
    "apache-beam[gcp]",
    "kfp",
    "dill",
    "google-cloud-storage",
    "jinja2",
    "onnx<1.19" + _OLDER,
    "onnx" + _NEWER,
    "psutil",
    "safetensors",
    "scikit-image",
    "scikit-learn",
    "setuptools<81",
    "tensorboard",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
    "tensorflow-transform",
]

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
    install_requires=LIGHT,
    extras_require={"pipeline": PIPELINE},
    entry_points={"console_scripts": ["hpatches=pipeline.cli:main"]},
)
