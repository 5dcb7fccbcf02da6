"""The product's step and inference as programs for TPUs."""

import pytest
from tensorflow.compiler.xla.service import hlo_pb2

from benchmarks.tpu import lowering
from benchmarks.tpu.cases import Case
from trainer.core.config import TrainerConfig
from trainer.model import l2net

POINTS, WIDTH = 8, 0.1


def program(work="step", cores=1, resident=0):
    case = Case("v5e", work, points=POINTS, width=WIDTH, cores=cores, resident=resident)
    return hlo_pb2.HloModuleProto.FromString(lowering.lowered(case))


def operations(module, name):
    return [
        operation
        for computation in module.computations
        for operation in computation.instructions
        if operation.opcode == name
    ]


def groups(sum_):
    """Which cores take part; newer versions of XLA write them in a message of their own."""
    listed = sum_.replica_groups or sum_.collective_device_list.replica_groups
    return [list(group.replica_ids) for group in listed]


@pytest.fixture(scope="module")
def of_four():
    return program(cores=4)


def test_a_core_takes_its_part_of_the_patches(of_four):
    patches = of_four.host_program_shape.parameters[0]
    assert list(patches.dimensions) == [POINTS * 2 // 4, 32, 32]


def test_cores_sum_statistics_descriptors_and_gradients(of_four):
    sums = [tuple(sum_.shape.dimensions) for sum_ in operations(of_four, "all-reduce")]
    model = TrainerConfig(model={"width": WIDTH}).model
    layers = l2net.CONVOLUTIONS[model.network]
    assert all((1, 1, 1, layer.filters(WIDTH)) in sums for layer in layers)
    assert (4, POINTS * 2 // 4, model.dimension) in sums
    weights = [tuple(kernel.shape) for kernel in l2net.build(model, 1).trainable_variables]
    assert len(weights) == len(layers) + 1
    assert set(weights) <= set(sums)


def test_all_four_cores_take_part_in_each_sum(of_four):
    for sum_ in operations(of_four, "all-reduce"):
        assert groups(sum_) == [[0, 1, 2, 3]]


def test_a_single_core_has_nobody_to_sum_with():
    for sum_ in operations(program(), "all-reduce"):
        assert groups(sum_) == [[0]]


def test_rows_are_gathered_from_patches_that_are_an_argument():
    module = program(resident=64)
    (
        rows,
        *_,
    ) = module.host_program_shape.parameters
    assert list(rows.dimensions) == [2 * POINTS]
    shapes = [list(each.dimensions) for each in module.host_program_shape.parameters]
    assert [64, 1024] in shapes
    assert [2 * POINTS, 1024] in [
        list(one.shape.dimensions) for one in operations(module, "gather")
    ]


def test_inference_takes_patches_and_gives_embedding_and_descriptors():
    module = program("inference")
    (*_, last) = module.host_program_shape.result.tuple_shapes
    assert list(module.host_program_shape.parameters[0].dimensions) == [2 * POINTS, 32, 32]
    assert list(last.dimensions) == [2 * POINTS, 128]
    assert not operations(module, "all-reduce")
