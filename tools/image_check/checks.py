"""What must hold of a built image, and what must run in it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.kfp import files, parameters
from pipeline.kfp.local.outcomes import Outcome
from tools.image_check import buildah, contents, leaks, tasks
from tools.image_check.buildah import CheckError, Container
from trainer.health import NO_TPU

Say = Callable[[str], None]

USER = 10001
PACKAGES = {
    "pipeline": "opt/hpatches/lib/python3.13/site-packages",
    "trainer-tpu": "opt/trainer/lib/python3.13/site-packages",
}
LABELS = ("title", "description", "version", "revision")
# Where our own files are, and those that a build may leave behind.
_OURS = ("etc/pip.conf", "home", "root", "run", "srv")
_PROJECT = ("trainer", "components", "pipeline", "hpatches_pipeline-*")
_FOREIGN_TO_TPU = ("tfx", "apache_beam", "tensorflow_transform", "components", "pipeline", "kfp")
_PHOTOGRAPHS = ("camera", "coins", "coffee", "chelsea", "brick", "china")
_STAGE = "[{points_per_batch: 16, patches_per_point: 2, max_steps: 20}]"
_SMALL = (
    "data.max_points=40",
    f"training.stages={_STAGE}",
    "training.validation.points_per_sequence=20",
    "evaluation.gate.baseline=null",
    "evaluation.gate.floors=[{task: matching, at_least: 0.02}]",
)
_TPU_CONFIG = {
    "model": {"width": 0.1, "dimension": 64},
    "stages": [{"points_per_batch": 16, "patches_per_point": 2, "max_steps": 12}],
}
# Serves both models with the pipeline's TensorFlow: shape and lengths of descriptors.
_SERVE = """
import sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
patches = np.random.default_rng(0).integers(0, 255, (8, 65, 65), dtype=np.uint8)
found = model.signatures["serving_default"](tf.constant(patches))["descriptors"].numpy()
assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3), found
assert np.abs(found[0] - found[1]).max() > 1e-3, found
print("TensorFlow", tf.__version__, "serves", found.shape)
"""


def image(name: str, target: str, secrets: Sequence[str]) -> str:
    """Checks what an image is: user, labels, health command, contents.

    Args:
        name: The image.
        target: Target in the Dockerfile.
        secrets: Texts that were secrets of the build.

    Returns:
        Size of the image and what takes most of it, as a sentence.

    Raises:
        CheckError: With one line per problem.
    """
    inspected = buildah.inspect(name)
    problems = [*_description(inspected["Docker"]["config"]), *_leaks(inspected, secrets)]
    with buildah.working_container(name) as container:
        problems += contents.problems(container.root)
        problems += [
            f"/{path} holds a secret of the build"
            for path in contents.holding(container.root, secrets)
        ]
        problems += leaks.in_texts(_our_files(container.root, target))
        packages = container.root / PACKAGES[target]
        if target == "trainer-tpu":
            problems += [f"{x} is in it" for x in _FOREIGN_TO_TPU if (packages / x).exists()]
        largest = contents.largest(packages, 5)
        if not problems:
            _runs_as_user(container, inspected["Docker"]["config"])
    if problems:
        raise CheckError("\n".join(f"{target}: {problem}" for problem in problems))
    parts = ", ".join(f"{package} {size / 1e6:.0f}" for package, size in largest)
    return f"{target}: {buildah.size(name) / 1e6:.0f} MB, not compressed (MB of it: {parts})"


def pipeline_runs(name: str, volume: Path, until: str, say: Say) -> None:
    """Compiles a small pipeline in the image, and runs its tasks there.

    Raises:
        CheckError: When a task fails or leaves nothing.
    """
    _own(volume)
    mounted = {volume: tasks.VOLUME}
    with buildah.working_container(name) as container:
        say("compiling a small pipeline in the image")
        materialise = (
            "from components.example_gen.formats.demo_photographs import materialise; "
            f"materialise('{tasks.VOLUME}/all')"
        )
        container.run(["python", "-c", materialise], volumes=mounted).checked("copying photographs")
        _choose(volume)
        options = ["--target", "kubeflow", "--config", "demo", "--image", name]
        options += [word for setting in _SMALL for word in ("--set", setting)]
        options += ["--output", f"{tasks.VOLUME}/pipeline.yaml"]
        container.run(["hpatches", "compile", *options], volumes=mounted).checked("compiling")
        spec = files.read(str(volume / "pipeline.yaml"))
        given = {
            "data_path": f"{tasks.VOLUME}/data",
            "push_destination": f"{tasks.VOLUME}/serving",
        }
        say("running its tasks, each in a container")
        left = tasks.run(
            spec, parameters.check_parameters(spec, given), container, volume, until, say
        )
        if "DescriptorTrainer" in left:
            _serve(container, mounted, _uri(left["DescriptorTrainer"], "model"), say)
        if "Pusher" in left and not any((volume / "serving").glob("*/saved_model.pb")):
            raise CheckError("the tasks ran, but no model was pushed")
    places = {
        name: _uri(left[task], key)
        for name, task, key in (
            ("data", "PatchExampleGen", "examples"),
            ("transform-graph", "Transform", "transform_graph"),
        )
        if task in left
    }
    (volume / "places.json").write_text(json.dumps(places))


def tpu_trainer_runs(name: str, pipeline: str, volume: Path, say: Say) -> None:
    """Trains in the TPU's image, on the CPU, and serves the model in the other one.

    Args:
        name: The TPU's image.
        pipeline: The pipeline's image.
        volume: Where `pipeline_runs` has left examples.
        say: Gets a line per step.

    Raises:
        CheckError: When it does not train, or its model cannot be served.
    """
    say("training in trainer-tpu, on the CPU")
    mounted = {volume: tasks.VOLUME}
    (volume / "tpu.yaml").write_text(yaml.safe_dump(_TPU_CONFIG))
    command = ["python", "-m", "trainer", "--resume", "--config", f"{tasks.VOLUME}/tpu.yaml"]
    for option, place in json.loads((volume / "places.json").read_text()).items():
        command += [f"--{option}", place]
    command += ["--output", f"{tasks.VOLUME}/tpu"]
    with buildah.working_container(name) as container:
        container.run(
            command, volumes=mounted, environment=NO_TPU, log=volume / "trainer-tpu.log"
        ).checked("training in trainer-tpu")
    with buildah.working_container(pipeline) as container:
        _serve(container, mounted, f"{tasks.VOLUME}/tpu", say)


def _description(config: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with what an image says about itself."""
    problems = []
    if config.get("User") != str(USER):
        problems.append(f"runs as {config.get('User') or 'root'}, expected {USER}")
    labels = config.get("Labels") or {}
    missing = [key for key in LABELS if not labels.get(f"org.opencontainers.image.{key}")]
    problems += [f"has no label org.opencontainers.image.{key}" for key in missing]
    if not config.get("Healthcheck", {}).get("Test"):
        problems.append("has no health command")
    return problems


def _leaks(inspected: Mapping[str, Any], secrets: Sequence[str]) -> list[str]:
    texts = leaks.of_image({key: inspected[key] for key in ("Docker", "OCIv1")})
    held = [place for place, text in texts.items() if any(secret in text for secret in secrets)]
    return [f"{place} holds a secret of the build" for place in held] + leaks.in_texts(texts)


def _our_files(root: Path, target: str) -> dict[str, str]:
    packages = root / PACKAGES[target]
    tops = [root / folder for folder in _OURS]
    tops += [path for pattern in _PROJECT for path in packages.glob(pattern)]
    listed = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*"))]
    return {
        f"/{path.relative_to(root)}": path.read_text(errors="replace")
        for path in listed
        if path.is_file() and not path.is_symlink()
    }


def _runs_as_user(container: Container, config: Mapping[str, Any]) -> None:
    """Runs the health command, and tries to write where the user must not.

    Raises:
        CheckError: When it is not healthy, or could change its own programs.
    """
    health = config["Healthcheck"]["Test"]
    command = list(health[1:]) if health[0] == "CMD" else ["sh", "-c", health[1]]
    container.run(command).checked("the health command")
    shown = container.run(["id", "-u"]).checked("id").output.strip()
    if shown != str(USER):
        raise CheckError(f"a container runs as {shown}, expected {USER}")
    if container.run(["touch", "/opt/written"]).status == 0:
        raise CheckError("the image's user can write to /opt")


def _own(volume: Path) -> None:
    volume.mkdir(parents=True, exist_ok=True)
    volume.chmod(0o755)
    os.chown(volume, USER, USER)
    # mkdtemp's folder is closed to others; the container's user has to get through.
    volume.parent.chmod(0o711)


def _choose(volume: Path) -> None:
    """Leaves a few of the photographs, so that extraction takes seconds."""
    (volume / "data").mkdir()
    for path in sorted((volume / "all").iterdir()):
        if path.stem in _PHOTOGRAPHS:
            shutil.copy2(path, volume / "data" / path.name)
    shutil.rmtree(volume / "all")


def _serve(container: Container, mounted: Mapping[Path, str], model: str, say: Say) -> None:
    command = ["python", "-c", _SERVE, f"{model}/Format-Serving"]
    ran = container.run(command, volumes=mounted).checked(f"serving {model}")
    say(f"  {ran.output.strip().splitlines()[-1]}")


def _uri(outcome: Outcome, key: str) -> str:
    return outcome.artifacts[key][0]["uri"]
