"""`hpatches export`: what is refused before anything is loaded."""

import pytest

from tests.pipeline.commands.bad_data import hpatches


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "caffe", "--output", "m.onnx"), "'caffe' is not one of 'onnx', 'tflite'"),
        (("--format", "onnx", "--output", "m.pb"), "does not end in .onnx, as onnx files do"),
        (("--format", "onnx", "--output", "none/m.onnx"), "in a folder that is there"),
        (("--format", "onnx", "--output", "m.onnx", "--size", "64"), "'64' is not one of"),
        (("--format", "onnx", "--output", "m.onnx"), "holds no saved_model.pb"),
    ],
)
def test_mistakes_end_in_a_sentence_and_no_file(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    result = hpatches("export", "--model", "model", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.slow
def test_it_tells_what_it_compared_and_wrote(release, tmp_path):
    from tests.components.model_export.test_network import save
    from trainer.core.config import ModelConfig
    from trainer.data import image

    model = save(tmp_path / "model", ModelConfig(width=0.1, dimension=64), image.Normalisation())
    output = tmp_path / "m.tflite"
    arguments = ("--model", model, "--data", release, "--format", "tflite-int8")
    result = hpatches("export", *arguments, "--output", output)
    assert result.exit_code == 0, result.output
    assert f"Compared on 208 patches ({release}) by TFLite: largest difference" in result.stdout
    assert "points lost" in result.stdout
    assert f"Wrote {output}" in result.stdout
    assert output.stat().st_size > 10_000
