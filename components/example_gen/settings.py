"""What a user can set about the data: where patches come from and how they are cut."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from components.example_gen.registry import FORMATS, PHOTOS
from trainer.core.settings import Settings

Detector = Literal["hessian", "harris", "dog"]
OfficialSplit = Literal["a", "b", "c", "illum", "view"]


def _known_format(name: str) -> str:
    if name not in FORMATS:
        *others, last = (repr(known) for known in FORMATS)
        expected = {"expected": f"{', '.join(others)} or {last}"}
        raise PydanticCustomError("literal_error", "Input should be {expected}", expected)
    return name


FormatName = Annotated[str, AfterValidator(_known_format)]


class SplitSettings(Settings):
    """How image sequences are divided into train, val and eval; always by scene.

    Attributes:
        rule: `official` takes the HPatches split `name` (eval = its test list); `file`
            reads the lists from `file`; `share` draws `eval_share` of the scenes.
        name: Official split, or the split to take from a file that holds several.
        file: JSON of the shape of HPatches' `splits.json`, or `{"train": [], "test": []}`.
        eval_share: Share of the scenes that the rule `share` keeps for evaluation.
        val_share: Share of the training sequences held out for stage decisions.
    """

    rule: Literal["official", "file", "share"] = "share"
    name: str | None = None
    file: str | None = None
    eval_share: float = Field(default=0.3, gt=0, lt=1)
    val_share: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _complete(self) -> SplitSettings:
        names = OfficialSplit.__args__  # type: ignore[attr-defined]
        if self.rule == "official" and self.name not in names:
            raise ValueError(
                f"rule 'official' needs a name out of {', '.join(names)}; found name "
                f"{'null' if self.name is None else repr(self.name)}"
            )
        if self.rule == "file" and not self.file:
            raise ValueError("rule 'file' needs the path of a splits file in 'file'")
        return self


class JitterSettings(Settings):
    """Strength of the disturbance of a frame before it is projected, by noise level.

    What a strength means stands in `geometry.frames.jitter`. The defaults give a median overlap
    (intersection over union with the undisturbed frame's ellipse) of 0.85, 0.72 and 0.60.

    Source: HPatches, section 4 (easy and hard); tough is not published and taken as 0.60.
    """

    easy: float = Field(default=0.617, ge=0)
    hard: float = Field(default=1.211, ge=0)
    tough: float = Field(default=1.890, ge=0)


class ExtractionSettings(Settings):
    """How points are found and patches cut.

    Attributes:
        detectors: Kinds of points that are detected.
        min_sigma: Smallest detection scale in pixels; the smallest region is 10 times that.
        hessian_threshold: Least scale-normalised determinant of the Hessian, grey in 0..1.
        harris_threshold: Least det/trace of the scale-normalised second-moment matrix.
        dog_threshold: Contrast threshold of OpenCV's SIFT detector.
        max_overlap: Detected discs (radius sigma) that overlap more are one cluster, of
            which a random member stays.
        half_width: Half the side of the measurement region, in sigmas.
        jitter: Disturbance of the frames of the target patches.
        check_homographies: Refuse image sequences whose reference and target patches hardly
            correlate. False for images of different kinds, e.g. visible and thermal light.
    """

    detectors: tuple[Detector, ...] = Field(default=("hessian", "harris", "dog"), min_length=1)
    min_sigma: float = Field(default=1.6, ge=0.8)
    hessian_threshold: float = Field(default=2e-4, gt=0)
    harris_threshold: float = Field(default=2e-4, gt=0)
    dog_threshold: float = Field(default=0.03, gt=0)
    max_overlap: float = Field(default=0.5, gt=0, lt=1)
    half_width: float = Field(default=5.0, gt=0)
    jitter: JitterSettings = JitterSettings()
    check_homographies: bool = True


class PhotographSettings(Settings):
    """How image sequences are made of a photograph.

    Attributes:
        shrink: The reference is at least this many times smaller than the photograph, so
            that targets hold detail which the reference does not.
        max_side: Photographs are shrunk further until the longer side has this many pixels.
        tilt: Viewpoint change in degrees at the last target; it grows with the target.
        rotation: Rotation in the image plane in degrees (plus or minus) at the last target.
        zoom: Octaves by which the last target is smaller (negative) or larger, drawn from
            lowest to highest.
    """

    shrink: float = Field(default=2.0, ge=1)
    max_side: int = Field(default=800, ge=65)
    tilt: float = Field(default=70.0, ge=0, lt=85)
    rotation: float = Field(default=90.0, ge=0, le=180)
    zoom: tuple[float, float] = (-1.2, 0.3)

    @model_validator(mode="after")
    def _ordered(self) -> PhotographSettings:
        if self.zoom[0] > self.zoom[1]:
            raise ValueError(f"zoom is {list(self.zoom)}, expected lowest <= highest")
        return self


class DataSettings(Settings):
    """Everything that decides what the examples are.

    Attributes:
        format: Data format, a name in `components.example_gen.registry`: an
            HPatches patch release, image sequences with homographies, or photographs.
        split: Division into train, val and eval.
        seed: Seed of every random choice; same seed and data give the same bytes.
        skip_bad_sequences: Go on without sequences that cannot be read, and list them.
        max_points: Most points cut from an image sequence, chosen by seed. Patch
            releases are read whole, because official task files count on their indices.
        extraction: How points are found and patches cut (sequences and photographs).
        photographs: How image sequences are made of photographs.
    """

    format: FormatName = PHOTOS
    split: SplitSettings = SplitSettings()
    seed: int = Field(default=0, ge=0)
    skip_bad_sequences: bool = False
    max_points: int | None = Field(default=300, ge=2)
    extraction: ExtractionSettings = ExtractionSettings()
    photographs: PhotographSettings = PhotographSettings()
