"""Beam's work by its portable runner, with workers that share the network and `gs://` alone.

This process is the runner and the job service; the workers are processes of a pool with their
own working, home and temporary folders that, where this user may hide folders, cannot see this
process's files either. What they make is compared with what the runner in this process makes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from google.cloud import storage as google_storage
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts

from components.core import beam_runner, beam_workers
from components.core.names import CANDIDATE, ROOTSIFT, ROOTSIFT_SMOOTHED
from components.core.user_errors import user_errors
from components.descriptor_evaluator.gate import verdict
from components.descriptor_evaluator.scoring import result_files
from components.descriptor_evaluator.scoring.scores_cache import rows_to_lines
from pipeline.graph import Places, create_pipeline
from tests.components.core.test_user_errors import Refuse
from tests.components.model_export.test_network import save as save_network
from tests.e2e.conftest import LENIENT, small_config
from tests.support.artifacts import artifact
from tests.support.cloud import cloud_storage, worker_pool
from trainer.core.config import ModelConfig
from trainer.core.errors import UserError
from trainer.core.variants import SPLITS
from trainer.data import image, manifest, records, resizing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not beam.__version__.startswith(beam_workers.VERIFIED),
        reason=f"Beam {beam.__version__}: a pool elsewhere was tried with "
        f"{beam_workers.VERIFIED}* alone",
    ),
]

_MODEL = "gs://b/model"
_IN_BEAM = ("PatchExampleGen", "StatisticsGen", "Transform", "DescriptorEvaluator")
_LONGEST_WAIT = 900.0


@dataclasses.dataclass
class Dag:
    """Components of the pipeline, run one by one with options for Beam.

    Attributes:
        root: Pipeline root, in the bucket.
        beam: Options for Beam.
        artifacts: What components put out, by component and key.
        workers: How many workers of a pool a component had, by component.
    """

    root: str
    beam: list[str]
    artifacts: dict[tuple[str, str], Any] = dataclasses.field(default_factory=dict)
    workers: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        config = small_config(Path("/nowhere/work"), Path("/nowhere/data"), *LENIENT)
        made = create_pipeline(config, Places("gs://b/data", self.root, "gs://b/serving"))
        self._components = {component.id: component for component in made.components}

    def run(self, name: str) -> None:
        """Runs a component on what those before it put out."""
        component = self._components[name]
        inputs = {}
        for key, channel in component.inputs.items():
            given = self.artifacts.get((channel.producer_component_id, channel.output_key))
            inputs[key] = [given] if given else []
        outputs = {
            key: artifact(channel.type, f"{self.root}/{name}/{key}")
            for key, channel in component.outputs.items()
        }
        kind = component.executor_spec.executor_class
        options = {"beam_pipeline_args": self.beam} if issubclass(kind, BaseBeamExecutor) else {}
        context = kind.Context(tmp_dir=f"{self.root}/tmp/{name}", unique_id="1", **options)
        with user_errors():
            kind(context).Do(
                inputs,
                {key: [made] for key, made in outputs.items()},
                dict(component.exec_properties),
            )
        self.artifacts |= {(name, key): made for key, made in outputs.items()}

    def uri(self, name: str, key: str) -> str:
        """Returns where an output lies."""
        return self.artifacts[name, key].uri


def _portable(address: str) -> list[str]:
    return [
        "--runner=PortableRunner",
        "--job_endpoint=embed",
        "--environment_type=EXTERNAL",
        f"--environment_config={address}",
    ]


@pytest.fixture(scope="module", autouse=True)
def _as_in_a_task():
    beam_runner.use_direct_runner_by_default()
    beam_workers.end_jobs_without_workers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["task"])  # TFX reads it when there are options for Beam
        yield


@pytest.fixture(scope="module")
def bucket(tmp_path_factory, photographs) -> Iterator[google_storage.Bucket]:
    """Cloud Storage with photographs and a model; what its clients need is not hidden."""
    with tempfile.TemporaryDirectory() as keys, cloud_storage.running_apart(Path(keys)):
        bucket = google_storage.Client().bucket("b")
        for path in photographs.iterdir():
            bucket.blob(f"data/{path.name}").upload_from_filename(path)
        model = tmp_path_factory.mktemp("model") / "m"
        save_network(model, ModelConfig(width=0.1, dimension=64), image.Normalisation(kind="patch"))
        for path in model.rglob("*"):
            if path.is_file():
                name = path.relative_to(model).as_posix()
                bucket.blob(f"model/Format-Serving/{name}").upload_from_filename(path)
        yield bucket


@contextlib.contextmanager
def _pool(hidden: Path) -> Iterator[worker_pool.WorkerPool]:
    with (
        tempfile.TemporaryDirectory() as own,
        worker_pool.running(Path(own), hidden) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def pool(tmp_path_factory, bucket):
    """A pool of workers."""
    del bucket
    with _pool(tmp_path_factory.getbasetemp()) as running:
        yield running


def _run_all(dag: Dag) -> Iterator[str]:
    """Runs what has work for Beam, and yields the name of each component that has run."""
    dag.artifacts["DescriptorTrainer", "model"] = artifact(standard_artifacts.Model, _MODEL)
    dag.run("ImportSchemaGen")
    for name in _IN_BEAM:
        dag.run(name)
        yield name


@pytest.fixture(scope="module")
def here(bucket) -> Dag:
    """What the runner in this process makes."""
    del bucket
    dag = Dag("gs://b/here", [])
    assert tuple(_run_all(dag)) == _IN_BEAM
    return dag


@pytest.fixture(scope="module")
def elsewhere(pool) -> Dag:
    """What the pool's workers make."""
    dag, before = Dag("gs://b/elsewhere", _portable(pool.address)), 0
    for name in _run_all(dag):
        dag.workers[name] = pool.started - before
        before = pool.started
    return dag


def _shards(dag: Dag, bucket: google_storage.Bucket) -> dict[str, bytes]:
    """Returns what ExampleGen wrote, by name; folders aside."""
    folder = dag.uri("PatchExampleGen", "examples").removeprefix("gs://b/") + "/"
    blobs = [blob for blob in bucket.list_blobs(prefix=folder) if not blob.name.endswith("/")]
    return {blob.name.removeprefix(folder): blob.download_as_bytes() for blob in blobs}


def test_the_pool_did_the_work(elsewhere):
    workers = elsewhere.workers  # one for each Beam pipeline
    assert workers["PatchExampleGen"] >= 1 and workers["StatisticsGen"] >= 1
    # Contrast, description, three scorings, and TFMA.
    assert workers["DescriptorEvaluator"] >= 6
    # Our preprocessing analyses nothing, so that TFX traces it in the task and needs no Beam.
    assert workers["Transform"] == 0


def test_shards_and_manifest_are_byte_identical(here, elsewhere, bucket):
    ours, theirs = _shards(here, bucket), _shards(elsewhere, bucket)
    # Twelve image sequences, six of them, which are trained on, at a second size; the manifest.
    assert len(ours) == 19
    assert ours == theirs


def _statistics(dag, split):
    """What does not hang on the order in which Beam merged: quantiles are sketches, ties of
    the most frequent values stand in any order.
    """
    path = f"{dag.uri('StatisticsGen', 'statistics')}/Split-{split}/FeatureStats.pb"
    (dataset,) = tfdv.load_stats_binary(path).datasets
    features = {}
    for feature in dataset.features:
        numbers, texts = feature.num_stats, feature.string_stats
        common = numbers.common_stats if feature.HasField("num_stats") else texts.common_stats
        features[tuple(feature.path.step)] = (
            feature.type,
            common.num_non_missing,
            common.tot_num_values,
            (numbers.min, numbers.max, numbers.num_zeros),
            (f"{numbers.mean:.6g}", f"{numbers.std_dev:.6g}"),
            texts.unique,
            {bucket.label: bucket.sample_count for bucket in texts.rank_histogram.buckets},
        )
    return dataset.num_examples, features


def test_statistics_are_equal(here, elsewhere):
    for split in SPLITS:
        ours, theirs = (_statistics(dag, split) for dag in (here, elsewhere))
        assert ours[0] > 0 and ours[1]
        assert ours == theirs


def test_transform_resizes_alike(here, elsewhere):
    examples = here.uri("PatchExampleGen", "examples")
    shard = manifest.read(examples).shard_paths(examples, "train")[0]
    batch = list(records.read_serialized(shard))
    ours, theirs = (
        resizing.resized(resizing.resizer(dag.uri("Transform", "transform_graph")), batch, shard, 0)
        for dag in (here, elsewhere)
    )
    assert len(ours) == len(batch) > 0
    np.testing.assert_array_equal(ours, theirs)


def test_scores_and_verdict_are_equal(here, elsewhere):
    ours, theirs = (dag.uri("DescriptorEvaluator", "evaluation") for dag in (here, elsewhere))
    for name in (CANDIDATE, ROOTSIFT, ROOTSIFT_SMOOTHED):
        lines = rows_to_lines(result_files.read_scores(ours, name))
        assert lines.count("\n") > 100
        assert lines == rows_to_lines(result_files.read_scores(theirs, name))
    assert verdict.read(ours) == verdict.read(theirs)


def test_a_workers_sentence_comes_back_whole(pool):
    with (
        pytest.raises(UserError, match=r"^e1\.png: width is 64, expected 65$"),
        user_errors(),
        beam.Pipeline(argv=_portable(pool.address)) as pipeline,
    ):
        _ = pipeline | beam.Create(["e1.png"]) | beam.ParDo(Refuse())


def test_a_killed_pool_ends_the_task_in_a_sentence_and_the_next_run_goes_on(
    here, bucket, tmp_path_factory
):
    hidden = tmp_path_factory.getbasetemp()
    with _pool(hidden) as pool, ThreadPoolExecutor(1) as thread:
        dag = Dag("gs://b/killed", _portable(pool.address))
        killed = thread.submit(_kill_once_it_works, pool, bucket, "killed/")
        sentence = rf"^beam: a worker of the pool at {pool.address} was lost .* and run again$"
        with pytest.raises(UserError, match=sentence):
            dag.run("PatchExampleGen")
        killed.result()
        with pytest.raises(UserError, match=f"^beam: no worker pool answers at {pool.address} "):
            dag.run("PatchExampleGen")
    with _pool(hidden) as pool:
        dag.beam = _portable(pool.address)
        dag.run("PatchExampleGen")
    assert _shards(dag, bucket) == _shards(here, bucket)


def _kill_once_it_works(pool: worker_pool.WorkerPool, bucket, prefix: str) -> None:
    """Kills a pool as soon as the first image sequence is written."""
    end = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < end:
        if any(blob.name.endswith(".json") for blob in bucket.list_blobs(prefix=prefix)):
            break
        time.sleep(0.02)
    pool.kill()
