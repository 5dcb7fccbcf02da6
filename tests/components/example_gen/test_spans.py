"""Spans and versions where no driver ran."""

from pathlib import Path

import pytest
from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts, standard_component_specs
from tfx.utils import proto_utils

from components.example_gen import spans
from components.example_gen.component import PatchExampleGen
from trainer.core.errors import UserError


def _properties(root: Path, pattern: str | None) -> dict:
    component = PatchExampleGen(str(root), "strips", "{}", None, "", pattern=pattern)
    return dict(component.exec_properties)


def _resolve(root: Path, pattern: str | None) -> tuple[dict, standard_artifacts.Examples]:
    properties, examples = _properties(root, pattern), standard_artifacts.Examples()
    spans.resolve_unless_done(properties, examples)
    return properties, examples


def _patterns(properties: dict) -> list[str]:
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    return [split.pattern for split in config.splits]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in ("span-1/v7", "span-2/v1", "span-2/v2"):
        (tmp_path / place / "v_a").mkdir(parents=True)
        (tmp_path / place / "v_a" / "ref.png").write_bytes(place.encode())
    return tmp_path


def test_the_newest_version_of_the_newest_span_is_taken(root: Path):
    properties, examples = _resolve(root, "span-{SPAN}/v{VERSION}/*/*")
    assert _patterns(properties) == ["span-2/v2/*/*"]
    assert examples.get_int_custom_property("span") == 2
    assert examples.get_int_custom_property("version") == 2
    assert "total_bytes" in examples.get_string_custom_property(utils.FINGERPRINT_PROPERTY_NAME)


def test_without_spans_the_layout_of_the_scene_stays(root: Path):
    properties, examples = _resolve(root / "span-1" / "v7", None)
    assert _patterns(properties) == ["*/*", "*.*"]
    assert examples.get_int_custom_property("span") == 0


def test_what_a_driver_resolved_stays(root: Path):
    properties = _properties(root, "span-1/v7/*/*")
    properties[utils.FINGERPRINT_PROPERTY_NAME] = "the driver's"
    before, examples = dict(properties), standard_artifacts.Examples()
    spans.resolve_unless_done(properties, examples)
    assert properties == before
    assert not examples.has_custom_property(utils.FINGERPRINT_PROPERTY_NAME)


def test_a_pattern_without_files_is_the_users_mistake(root: Path):
    with pytest.raises(UserError, match=r"^data\.pattern: "):
        _resolve(root, "day-{SPAN}/*/*")
