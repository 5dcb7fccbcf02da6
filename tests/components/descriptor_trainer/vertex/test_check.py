"""Combinations that cannot work are refused with the reason."""

import json

import pytest
from pydantic import ValidationError

from components.descriptor_trainer.vertex import check
from components.descriptor_trainer.vertex.machines import Machine, machine_of
from components.descriptor_trainer.vertex.settings import VertexTrainingSettings
from trainer.core.config import StageConfig, TrainerConfig
from trainer.core.errors import UserError
from trainer.curriculum import auto_plan
from trainer.curriculum.auto_plan import Resources


def settings(machine_type="ct5lp-hightpu-4t", **changes) -> VertexTrainingSettings:
    if machine_type == "ct5lp-hightpu-4t":
        changes.setdefault("tpu_topology", "2x2")
    return VertexTrainingSettings(image="host/repo/trainer", machine_type=machine_type, **changes)


def training(*sequences: int, **changes) -> TrainerConfig:
    stages = tuple(StageConfig(points_per_batch=count) for count in sequences)
    return TrainerConfig(**({"stages": stages} if stages else {}) | changes)


def tpu(version: int, cores: int, **changes) -> VertexTrainingSettings:
    accelerator = {"accelerator_type": f"TPU_V{version}", "accelerator_count": cores}
    return settings("cloud-tpu", **accelerator, **changes)


def gpu(machine_type: str, kind: str, count: int, **changes) -> VertexTrainingSettings:
    return settings(machine_type, accelerator_type=kind, accelerator_count=count, **changes)


@pytest.mark.parametrize(
    ("job", "kind", "replicas", "hosts"),
    [
        (tpu(2, 8), "tpu", 8, 1),
        (tpu(3, 8), "tpu", 8, 1),
        (tpu(3, 32), "tpu", 32, 4),
        (settings("ct5lp-hightpu-1t", tpu_topology="1x1"), "tpu_v5e", 1, 1),
        (settings(), "tpu_v5e", 4, 1),
        (settings("ct5lp-hightpu-8t", tpu_topology="2x4"), "tpu_v5e", 8, 1),
        (settings(tpu_topology="2x4"), "tpu_v5e", 8, 2),
        (settings(tpu_topology="16x16"), "tpu_v5e", 256, 64),
        (gpu("n1-standard-8", "NVIDIA_TESLA_T4", 2), "gpu", 2, 1),
        (gpu("g2-standard-12", "NVIDIA_L4", 1), "gpu", 1, 1),
        (gpu("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8), "gpu", 8, 1),
        (settings("n1-standard-16"), "cpu", 1, 1),
        (settings("n1-standard-16", hosts=3), "cpu", 3, 3),
        (gpu("n1-standard-8", "NVIDIA_TESLA_T4", 2, hosts=4), "gpu", 8, 4),
    ],
)
def test_machines_are_understood(job, kind, replicas, hosts):
    assert machine_of(job) == Machine(kind, replicas, hosts)


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (
            settings(hosts=2),
            "hosts: found 2 with machine_type ct5lp-hightpu-4t, a TPU; expected its",
        ),
        (tpu(3, 8, hosts=2), "a TPU; expected its hosts in accelerator_count alone"),
        (settings("ct6e-standard-4t", tpu_topology="2x2"), "found ct6e-standard-4t, a TPU"),
        (settings("ct5p-hightpu-4t"), "Vertex AI does not train with TensorFlow"),
        (settings("ct5lp-hightpu-2t", tpu_topology="1x2"), "expected one of ct5lp-hightpu-1t, "),
        (settings("ct5lp-hightpu-1t", tpu_topology="2x2"), "expected 1x1$"),
        (settings("ct5lp-hightpu-8t"), "found none with .*-8t; expected 2x4"),
        (settings(tpu_topology="3x3"), "expected 2x2, or for a slice of sev.* multiple of 4"),
        (
            settings(accelerator_type="TPU_V5_LITEPOD", accelerator_count=4),
            "remove accelerator_type and accelerator_count and set tpu_topology",
        ),
        (tpu(3, 8, tpu_topology="2x2"), "its size is accelerator_count"),
        (settings("n1-standard-8", tpu_topology="2x2"), r"only ct5lp-hightpu-\* has a topology"),
        (tpu(3, 12), r"accelerator_count: found 12 cores of TPU_V3; expected a multiple of 8"),
        (tpu(3, 0), r"accelerator_count: found 0 cores of TPU_V3"),
        (settings("cloud-tpu"), "found none with machine_type cloud-tpu"),
        (tpu(4, 8), "expected one of TPU_V2, TPU_V3"),
        (gpu("n1-standard-8", "TPU_V3", 8), "expected machine_type cloud-tpu"),
        (gpu("n1-standard-8", "NVIDIA_TESLA_T4", 0), "found 0 of NVIDIA_TESLA_T4; name the GPU"),
        (settings("n1-standard-8", accelerator_count=1), "found 1 of no accelerator_type"),
    ],
)
def test_impossible_machines_are_refused(job, message):
    with pytest.raises(UserError, match=message):
        check.check(job, training(256))


def test_a_slice_of_several_hosts_needs_an_image_that_is_made_for_it():
    with pytest.raises(UserError, match=r"TPU v3 with 32 cores is a slice of 4 hosts"):
        check.check(tpu(3, 32), training(256))
    check.check(tpu(3, 32, image_for_pods=True), training(256))


@pytest.mark.parametrize(
    ("job", "replicas"),
    [
        (tpu(3, 8), "8 cores of TPU v3 with 8 cores"),
        (settings(), r"4 cores of TPU v5e 2x2"),
        (gpu("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8), "8 GPUs of NVIDIA_TESLA_A100"),
    ],
)
def test_every_stage_must_divide_among_the_replicas(job, replicas):
    check.check(job, training(64, 128))
    with pytest.raises(
        UserError,
        match=rf"training\.stages\.1\.points_per_batch: found 130, which the {replicas}",
    ):
        check.check(job, training(64, 130))


def test_automatic_stages_are_possible_on_the_largest_slice():
    check.check(tpu(3, 8), training(stages="auto"))
    check.check(tpu(3, 2048, image_for_pods=True), training(stages="auto"))
    plenty = Resources(10**9, 10**9, patch_bytes=1, memory=10**9, device="tpu", replicas=2048)
    assert auto_plan.plan(plenty)[-1].points_per_batch == 2048


def test_a_run_in_another_region_than_the_job_is_meant_for_is_refused():
    job = settings(location="us-west4")
    check.check(job, training(256))
    check.check(job, training(256), "us-west4")
    with pytest.raises(UserError, match=r"found us-east1, but .* is us-west4"):
        check.check(job, training(256), "us-east1")


@pytest.mark.parametrize(
    ("job", "strategy"),
    [
        (settings(), "mirrored"),
        (settings(), "one_device"),
        (gpu("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8), "one_device"),
        (gpu("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1), "tpu"),
        (settings("n1-standard-8"), "tpu"),
    ],
)
def test_a_strategy_that_contradicts_the_machine_is_refused(job, strategy):
    with pytest.raises(UserError, match=rf"training\.strategy: found {strategy}"):
        check.check(job, training(256, strategy=strategy))


@pytest.mark.parametrize(
    ("job", "changes", "message"),
    [
        (settings(spot=True), {"checkpoint_every": 0}, r"training\.checkpoint_every is 0"),
        (
            settings(spot=True, restart=False),
            {},
            r"training\.restart is off.* expected restart: tr",
        ),
        (
            settings().model_copy(update={"image": None}),
            {},
            r"platform\.training\.image is missing, .*--set platform",
        ),
    ],
)
def test_spare_capacity_needs_checkpoints_and_restarts_and_every_job_an_image(
    job, changes, message
):
    with pytest.raises(UserError, match=message):
        check.check(job, training(256, **changes))
    for possible in (settings(spot=True), settings(restart=False)):
        check.check(possible, training(256))


@pytest.mark.parametrize("job", [tpu(3, 32, image_for_pods=True), settings(tpu_topology="4x4")])
def test_spare_capacity_is_for_one_host_only(job):
    on_spot = job.model_copy(update={"spot": True, "image_for_pods": True})
    with pytest.raises(UserError, match=r"slice of 4 hosts, and Vertex AI has no spare capacity"):
        check.check(on_spot, training(256))
    check.check(on_spot.model_copy(update={"spot": False}), training(256))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", "no repository"),
        ("image", "trainer"),
        ("machine_type", "TPU"),
        ("tpu_topology", "2*2"),
        ("location", "us-central1-a"),
        ("service_account", "me"),
        ("network", "default"),
        ("timeout_hours", 200),
        ("boot_disk_gb", 50),
        ("labels", {"Team": "a"}),
        ("labels", {"1st": "a"}),
        ("labels", {"team": "a b"}),
        ("gpu", 1),
    ],
)
def test_malformed_settings_are_refused_by_their_key(key, value):
    values = {**settings().model_dump(), key: value}
    with pytest.raises(ValidationError) as raised:
        VertexTrainingSettings.model_validate_json(json.dumps(values), strict=True)
    assert [error["loc"][0] for error in raised.value.errors()] == [key]
