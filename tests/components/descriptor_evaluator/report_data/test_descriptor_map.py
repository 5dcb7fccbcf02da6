import numpy as np

from components.descriptor_evaluator.report_data import descriptor_map


def clusters(per_sequence: int = 6) -> dict[str, np.ndarray]:
    """Every point has a code of its own, from which its views differ little."""
    rng = np.random.default_rng(0)
    return {
        name: (
            10 * rng.normal(size=(1, per_sequence, 8)) + rng.normal(size=(16, per_sequence, 8))
        ).astype(np.float32)
        for name in ("v_a", "v_b")
    }


def test_views_of_a_point_lie_together():
    layout = descriptor_map.lay_out(clusters())
    assert layout["method"] == "t-SNE"
    assert [(point["sequence"], point["index"]) for point in layout["points"]] == [
        (name, index) for name in ("v_a", "v_b") for index in range(6)
    ]
    places = np.array([[point["x"], point["y"]] for point in layout["points"]])  # [12, 2, 4]
    assert places.min() == 0 and places.max() == 1
    centres = places.mean(axis=2, keepdims=True)
    within = np.linalg.norm(places - centres, axis=1).mean()
    between = np.linalg.norm(centres - centres.transpose(2, 1, 0), axis=1).mean()
    assert within < 0.2 * between


def test_each_point_has_its_reference_and_a_target_of_every_noise_level():
    for point in descriptor_map.lay_out(clusters())["points"]:
        assert [variant[0] for variant in point["variants"]] == ["r", "e", "h", "t"]


def test_the_layout_depends_on_the_seed_alone():
    first = descriptor_map.lay_out(clusters())
    assert descriptor_map.lay_out(clusters()) == first
    assert descriptor_map.lay_out(clusters(), seed=1) != first


def test_what_cannot_be_laid_out_is_left_out():
    values = clusters()
    values["v_a"][:, 2] = np.nan
    points = descriptor_map.lay_out(values)["points"]
    assert ("v_a", 2) not in [(point["sequence"], point["index"]) for point in points]
    assert len(points) == 11
    equal = {"v_a": np.ones((16, 9, 4), np.float32)}
    assert descriptor_map.lay_out(equal)["points"] == []
    few = {"v_a": clusters()["v_a"][:, :2]}
    assert descriptor_map.lay_out(few)["points"] == []
    assert descriptor_map.lay_out({"v_a": np.full((16, 9, 4), np.nan)})["points"] == []
