"""The request for a job."""

import pytest
from google.cloud.aiplatform_v1 import AcceleratorType, Scheduling

from components.descriptor_trainer.vertex import job
from components.descriptor_trainer.vertex.job import Places
from tests.components.descriptor_trainer.vertex.test_check import gpu, settings, tpu
from trainer.__main__ import main
from trainer.core.config import TrainerConfig

_PLACES = Places("gs://b/examples", "gs://b/graph", "gs://b/staging/key")


def _pool(request):
    (pool,) = request.job_spec.worker_pool_specs
    return pool


def test_the_container_runs_the_trainer():
    pool = _pool(job.custom_job(settings(), _PLACES, "key"))
    assert pool.container_spec.image_uri == "host/repo/trainer"
    assert list(pool.container_spec.command) == ["python"]
    arguments = list(pool.container_spec.args)
    assert arguments[:3] == ["-m", "trainer", "--resume"]
    assert dict(zip(arguments[3::2], arguments[4::2], strict=True)) == {
        "--config": "gs://b/staging/key/config.json",
        "--data": "gs://b/examples",
        "--transform-graph": "gs://b/graph",
        "--output": "gs://b/staging/key/output",
        "--log-dir": "gs://b/staging/key/logs",
        "--checkpoint-dir": "gs://b/staging/key/checkpoints",
        "--failure-file": "gs://b/staging/key/failure.json",
        "--lease-dir": "gs://b/staging/key/leases",
    }
    assert pool.replica_count == 1


def test_the_trainer_knows_every_option_of_the_command(tmp_path, capsys):
    places = Places(*(str(tmp_path / name) for name in ("data", "graph", "base", "model")))
    command = job.trainer_command(places)
    assert "--warm-start" in command
    assert main(command[3:]) == 2  # 2 and one sentence: it got as far as reading its files
    assert "config.json: cannot be read" in capsys.readouterr().err


_V5E = {
    "NEXT_PLUGGABLE_DEVICE_USE_C_API": "true",
    "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": "/lib/libtpu.so",
}


@pytest.mark.parametrize(
    ("machine", "accelerator", "topology", "environment"),
    [
        (tpu(3, 8), (AcceleratorType.TPU_V3, 8), "", {}),
        (settings(), (0, 0), "2x2", _V5E),  # by topology, reached through PJRT
        (gpu("n1-standard-8", "NVIDIA_TESLA_T4", 2), (AcceleratorType.NVIDIA_TESLA_T4, 2), "", {}),
    ],
)
def test_a_machine_is_asked_for(machine, accelerator, topology, environment):
    pool = _pool(job.custom_job(machine, _PLACES, "key"))
    asked = pool.machine_spec
    assert asked.machine_type == machine.machine_type
    assert (asked.accelerator_type, asked.accelerator_count) == accelerator
    assert asked.tpu_topology == topology
    assert {each.name: each.value for each in pool.container_spec.env} == environment


def test_a_pod_keeps_the_entry_point_of_its_image():
    pool = _pool(job.custom_job(tpu(3, 32, image_for_pods=True), _PLACES, "key"))
    assert not pool.container_spec.command
    assert list(pool.container_spec.args)[:3] == ["python", "-m", "trainer"]
    assert pool.replica_count == 1


def test_several_hosts_are_two_pools_whose_first_is_the_chief():
    machine = gpu("g2-standard-12", "NVIDIA_L4", 1, hosts=4)
    pools = job.custom_job(machine, _PLACES, "key").job_spec.worker_pool_specs
    assert [pool.replica_count for pool in pools] == [1, 3]
    assert pools[0].machine_spec == pools[1].machine_spec
    assert pools[0].container_spec == pools[1].container_spec
    assert list(pools[0].container_spec.command) == ["python"]


def test_the_terms_of_the_job():
    request = job.custom_job(
        settings(
            spot=True,
            timeout_hours=1.5,
            service_account="trainer@p.iam.gserviceaccount.com",
            network="projects/12/global/networks/mine",
            labels={"team": "vision"},
            boot_disk_gb=200,
        ),
        _PLACES,
        "key",
    )
    spec = request.job_spec
    assert spec.scheduling.strategy == Scheduling.Strategy.SPOT
    assert spec.scheduling.restart_job_on_worker_restart
    assert spec.scheduling.timeout.total_seconds() == 5400
    assert spec.service_account == "trainer@p.iam.gserviceaccount.com"
    assert spec.network == "projects/12/global/networks/mine"
    assert spec.base_output_directory.output_uri_prefix == "gs://b/staging/key"
    assert _pool(request).disk_spec.boot_disk_size_gb == 200
    assert dict(request.labels) == {
        "team": "vision",
        "application": "hpatches",
        "component": "descriptor-trainer",
        job.KEY_LABEL: "key",
    }


def test_without_wishes_the_capacity_is_the_regular_one():
    scheduling = job.custom_job(settings(restart=False), _PLACES, "key").job_spec.scheduling
    assert scheduling.strategy == Scheduling.Strategy.STANDARD
    assert not scheduling.restart_job_on_worker_restart


@pytest.mark.parametrize(
    ("machine", "strategy", "name"),
    [
        (settings(), "tpu", "local"),
        (tpu(3, 32), "tpu", "environment"),
        (gpu("a2-highgpu-8g", "NVIDIA_TESLA_A100", 8), "mirrored", None),
        (gpu("a2-highgpu-1g", "NVIDIA_TESLA_A100", 1), "one_device", None),
        (settings("n1-standard-8"), "one_device", None),
        (settings("n1-standard-8", hosts=3), "mirrored", None),
        (gpu("g2-standard-12", "NVIDIA_L4", 1, hosts=2), "mirrored", None),
    ],
)
def test_the_trainer_is_told_what_it_runs_on(machine, strategy, name):
    told = job.trainer_config(machine, TrainerConfig(seed=7))
    assert (told.strategy, told.tpu, told.seed) == (strategy, name, 7)
