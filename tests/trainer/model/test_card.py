"""The model card."""

from trainer.model import card, patch_identity


def identity(names: list[str], ratio: float | None = None) -> dict:
    settings = {"format": "photos", "extraction": {"region": 6.5}}
    told = patch_identity.describe_patches(settings)
    told["matching"]["ratio"] = ratio
    return {
        **told,
        "descriptor_id": "abc",
        "dimension": 64,
        "data_checksum": "123",
        "extraction": settings,
        "sequences": {"train": names, "val": ["v_last"]},
    }


def test_it_says_what_the_model_is_and_was_trained_on():
    text = card.write(identity(["i_a", "v_b"], ratio=0.85))
    for part in (
        *("descriptor abc", "64 numbers", "6.5 sigmas", "format photos", "checksum 123"),
        *("trained on: i_a, v_b.", "checkpoint: v_last.", "of a match: 0.85", "Apache-2.0"),
    ):
        assert part in text


def test_scores_take_the_place_of_the_section_without_any():
    text = card.write(identity(["i_a"]))
    scored = card.with_scores(text, "## Scores\n\nBlessed, 47.1\\n.\n")
    before, _, rest = text.partition("## Scores\n")
    after = rest[rest.index("## Limits") :]
    assert scored == f"{before}## Scores\n\nBlessed, 47.1\\n.\n\n{after}"
    again = card.with_scores(scored, "## Scores\n\nOther.\n")
    assert again == f"{before}## Scores\n\nOther.\n\n{after}"
    assert card.with_scores("# Own card\n", "## Scores\n\nOther.") == (
        "# Own card\n\n## Scores\n\nOther.\n"
    )


def test_long_lists_end_and_what_is_not_known_is_told():
    text = card.write(identity([f"v_{number}" for number in range(45)]))
    assert "v_39 and 5 more." in text and "v_40" not in text
    assert "of a match: not chosen" in text
