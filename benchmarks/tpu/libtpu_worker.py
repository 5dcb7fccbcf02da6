"""Compiles an XLA program for a TPU, and prints what the compiler says of it as JSON.

python -m benchmarks.tpu.libtpu_worker PROGRAM TOPOLOGY CORES

Runs in `.venv-tpu` (`make tpu-env`). PROGRAM is a file with a serialized `xla.HloModuleProto`,
TOPOLOGY the compiler's name of some chips, e.g. v5e:2x2. The compiler is libtpu, the library that
drives a TPU; no TPU is looked for. jax loads it, by functions of its own that may change: its
version is pinned.
"""

from __future__ import annotations

import os

os.environ["JAX_PLATFORMS"] = "cpu"
# Of a TPU's machine, whose metadata the library would otherwise ask the network for.
os.environ.update(TPU_SKIP_MDS_QUERY="1", TPU_WORKER_HOSTNAMES="localhost")
os.environ.update(ALLOW_MULTIPLE_LIBTPU_LOAD="1", TPU_LOG_DIR="disabled")

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jax._src import compiler
from jax._src.interpreters import mlir
from jax._src.lib import _jax, xla_client
from jax.experimental import topologies
from jaxlib.mlir import ir

from benchmarks.tpu.collectives import collectives


def compiled(program: bytes, topology: str, cores: int) -> dict[str, Any]:
    """Compiles a program.

    Args:
        program: Serialized `xla.HloModuleProto` of one core.
        topology: Name of the chips.
        cores: How many run the program, each on its own part of the batch.

    Returns:
        Seconds of processor time, bytes, operations and collectives by name.
    """
    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[:cores]
    if len(devices) < cores:
        raise ValueError(f"{topology} has {len(devices)} cores, expected {cores}")
    options = compiler.get_compile_options(
        cores, 1, device_assignment=np.array([device.id for device in devices])
    )
    # Every core has a program of its own here: nothing is left to partition.
    options.executable_build_options.use_spmd_partitioning = False
    options.executable_build_options.use_shardy_partitioner = False
    module = _stablehlo(program)
    started = time.process_time()
    executable = devices[0].client.compile(
        mlir.module_to_bytecode(module), xla_client.DeviceList(tuple(devices)), options
    )
    seconds = time.process_time() - started
    memory, cost = executable.get_compiled_memory_stats(), executable.cost_analysis()
    (optimised,) = executable.hlo_modules()
    counts, exchanged = collectives(optimised.to_string())
    return {
        "device": devices[0].device_kind,
        "compiler": f"libtpu {version('libtpu')}, jaxlib {version('jaxlib')}",
        "seconds": round(seconds, 1),
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes,
        "aliased": memory.alias_size_in_bytes,
        "temporary": memory.temp_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
        "flops": cost["flops"],
        "traffic": cost["bytes accessed"],
        "collectives": counts,
        "exchanged": exchanged,
    }


def _stablehlo(program: bytes) -> ir.Module:
    """Returns a program in the form that the compiler takes.

    What is copied from a parameter to a result stays `mhlo.copy`, which is not of that form; what
    is copied serves as well.
    """
    module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(program), mlir.make_ir_context())

    def without_copies(block: ir.Block) -> None:
        for operation in [item.operation for item in block]:
            for region in operation.regions:
                for inner in region:
                    without_copies(inner)
            if operation.name == "mhlo.copy":
                operation.results[0].replace_all_uses_with(operation.operands[0])
                operation.erase()

    without_copies(module.body)
    return module


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    found = compiled(Path(sys.argv[1]).read_bytes(), sys.argv[2], int(sys.argv[3]))
    answer.write(json.dumps(found) + "\n")
    answer.flush()
    os._exit(0)  # the library's threads end worse than the process
