"""`hpatches compile`: the pipeline as a file for Kubeflow Pipelines or Vertex AI."""

from __future__ import annotations

import click

from components.core.files import check_writable
from pipeline.commands.options import DEFAULT_CONFIG, set_option
from pipeline.config.platform import TARGETS
from pipeline.config.tree import load_config
from pipeline.kfp import files, parameters
from pipeline.runners import beam_options
from pipeline.terminal import consoles
from trainer.core.importing import importing


@click.command("compile")
@click.option(
    "--target", type=click.Choice(TARGETS), required=True, help="Platform that will run it."
)
@click.option(
    "--config",
    "name_or_file",
    metavar="NAME_OR_FILE",
    default=DEFAULT_CONFIG,
    show_default=True,
    help="Packaged configuration or YAML file.",
)
@click.option(
    "--output",
    metavar="FILE",
    required=True,
    help="File to write: .yaml for Kubeflow, .yaml or .json for Vertex AI.",
)
@click.option(
    "--image", metavar="IMAGE", help="Container image of the tasks [default: platform.image]."
)
@set_option("platform.resources.DescriptorTrainer.cpu=8")
def compile_command(
    target: str, name_or_file: str, output: str, image: str | None, overrides: tuple[str, ...]
) -> None:
    """Compile the pipeline into a file that kfp or Vertex AI's client loads as it is.

    Apart from the addresses of the images it names no project and no bucket: these, the data and
    the push destination are parameters of a run.
    """
    from pipeline.kfp.platform_check import check_platform  # imports protobuf's JSON

    config = load_config(name_or_file, overrides)
    files.check_name("--output", output, json_too=target == "vertex")
    check_writable("--output", output)
    image = image or config.platform.image
    check_platform(config, target, image)
    console = consoles.output()
    with console.status("compiling: loading TFX"):
        beam_options.check(config.beam)
        with importing():  # ten seconds: once all else is checked
            from pipeline.runners import kubeflow

        assert image is not None, "checked above"
        spec = kubeflow.compile_pipeline(config, target, image)
    files.write(spec, output)
    count = len(spec["root"]["dag"]["tasks"])
    console.print(f"Wrote {output}: {count} tasks for {target}. Parameters of a run:")
    for name, definition in sorted(parameters.declared(spec).items()):
        left_out = " (may be left out)" if "defaultValue" in definition else ""
        console.print(f"  {name}{left_out}: {definition['description']}", soft_wrap=True)
