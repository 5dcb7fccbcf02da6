"""What is refused before the DAG is compiled."""

import pytest

from pipeline.config.tree import load_config
from pipeline.kfp.platform_check import check_platform
from trainer.core.errors import UserError

_IMAGE = "registry.example.com/hpatches:1"
_NO_TPU = (
    r"^platform\.resources\.DescriptorTrainer\.accelerator: found .* a TPU is for "
    r"platform\.training"
)
_NO_JAVA = r"^beam: FlinkRunner would start Beam's job server .*Java.* --job_endpoint=HOST:PORT"
_STAGES = (
    "training.stages=[{}]",
    "training.stages.0.points_per_batch=30",
)


def _check(*overrides: str, target: str = "vertex", image: str | None = _IMAGE) -> None:
    check_platform(load_config("demo", overrides), target, image)


@pytest.mark.parametrize("target", ["kubeflow", "vertex"])
def test_the_packaged_configurations_pass(target):
    for name in ("demo", "hpatches_a"):
        check_platform(load_config(name), target, _IMAGE)


def _resources(text: str) -> str:
    return f"platform.resources={{DescriptorTrainer: {{{text}}}}}"


def _flink(more: str) -> str:
    runner = "apache_beam.runners.portability.flink_runner.FlinkRunner"
    return f"beam=['--runner={runner}', '--environment_type=EXTERNAL', {more}]"


@pytest.mark.parametrize(
    ("target", "overrides"),
    [
        ("vertex", [_resources("accelerator: NVIDIA_L4, accelerator_count: 2"), *_STAGES]),
        ("kubeflow", [_resources("accelerator: nvidia.com/gpu")]),
        (
            "vertex",
            [
                "beam=['--runner=DataflowRunner', '--project={project}', '--region={location}', "
                "'--temp_location={staging}/tmp', '--sdk_container_image=registry.example.com/b:1']"
            ],
        ),
        ("kubeflow", [_flink("'--job_endpoint=job-server:8099'")]),
        ("kubeflow", [_flink("'--flink_submit_uber_jar', '--flink_master=flink:8081'")]),
        (
            "kubeflow",
            [
                "beam=['--runner=SparkRunner', '--environment_type=EXTERNAL', "
                "'--spark_submit_uber_jar', '--spark_rest_url=http://spark:6066']"
            ],
        ),
    ],
)
def test_what_can_run_passes(target, overrides):
    _check(*overrides, target=target)


@pytest.mark.parametrize(
    ("target", "overrides", "sentence"),
    [
        (
            "vertex",
            [_resources("accelerator: nvidia.com/gpu")],
            r"^platform\.resources\.DescriptorTrainer\.accelerator: found 'nvidia\.com/gpu', "
            r"expected a name of Vertex AI's",
        ),
        ("kubeflow", [_resources("accelerator: NVIDIA_L4")], "expected the name of the cluster's"),
        (
            "vertex",
            [_resources("accelerator: NVIDIA_L4, accelerator_count: 4"), *_STAGES],
            r"^training\.stages\.0\.points_per_batch: found 30, which the 4 accelerators",
        ),
        ("vertex", ["beam=['--project=my-project']"], "^beam: found --project=my-project, which"),
        ("vertex", ["beam=['--temp_location={bucket}']"], r"^beam: found \{bucket\}, expected one"),
        ("kubeflow", ["beam=['--runner=FlinkRunner']"], "^beam: the workers of FlinkRunner need"),
        ("vertex", [_resources("accelerator: TPU_V6E, accelerator_count: 4")], _NO_TPU),
        ("kubeflow", [_resources("accelerator: google.com/tpu")], _NO_TPU),
        ("kubeflow", [_resources("accelerator: cloud-tpus.google.com/v3")], _NO_TPU),
        (
            "vertex",
            [f"beam=['--runner=DataflowRunner', '--sdk_container_image={_IMAGE}']"],
            f"^beam: found --sdk_container_image={_IMAGE}, which is the pipeline's own image",
        ),
        ("kubeflow", [_flink("'--flink_master=flink:8081'")], _NO_JAVA),
        ("kubeflow", [_flink("'--flink_submit_uber_jar', '--flink_master=[auto]'")], _NO_JAVA),
        (
            "kubeflow",
            ["beam=['--runner=SparkRunner', '--environment_type=DOCKER']"],
            "^beam: SparkRunner would .*Java.* --spark_submit_uber_jar with --spark_rest_url=URL$",
        ),
    ],
)
def test_what_cannot_run_is_refused(target, overrides, sentence):
    with pytest.raises(UserError, match=sentence):
        _check(*overrides, target=target)


@pytest.mark.parametrize(
    ("image", "said"), [(None, "no image; exp"), ("", "no image"), ("My Image", "found 'My Image'")]
)
def test_an_image_is_needed(image, said):
    with pytest.raises(UserError, match=rf"^platform\.image: {said}"):
        _check(image=image)
