"""What a user can set about the data: where patches come from and how they are cut."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from components.example_gen.registry import FORMATS, PHOTOS
from trainer.core.settings import Settings
from trainer.core.variants import TRAIN

Detector = Literal["hessian", "harris", "dog"]
OfficialSplit = Literal["a", "b", "c", "illum", "view"]


def _known_format(name: str) -> str:
    if name not in FORMATS:
        *others, last = (repr(known) for known in FORMATS)
        expected = {"expected": f"{', '.join(others)} or {last}"}
        raise PydanticCustomError("literal_error", "Input should be {expected}", expected)
    return name


Size = Annotated[float, Field(ge=0.25, le=4)]
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


class ExtractionSettings(Settings):
    """What a point is, wherever one is described: the region, and how it is found.

    Attributes:
        half_width: Half the side of a patch's square in sigmas, where patches are cut to be trained
            on or judged; HPatches' is 5.
        region: The same where photographs are matched, and in a part of the training. It is stored
            in the model.
        smoothing: Photographs that are matched are blurred to so many sigmas of a point before its
            patch is cut; 0 for not at all. It is stored in the model.
        detectors: Kinds of points that are detected in photographs that are matched.
        min_sigma: Smallest scale of these in pixels; the smallest region is 10 times that.
        max_overlap: Of points whose discs (radius sigma) overlap more, the strongest is matched.
    """

    half_width: float = Field(default=5.0, gt=0)
    # `python -m benchmarks regions` and `benchmarks.downstream.true_matches` (docs/benchmarks.md).
    region: float = Field(default=7.5, gt=0)
    smoothing: float = Field(default=0.5, ge=0, le=1)
    detectors: tuple[Detector, ...] = Field(default=("hessian", "harris", "dog"), min_length=1)
    min_sigma: float = Field(default=1.6, ge=0.8)
    max_overlap: float = Field(default=0.5, gt=0, lt=1)


class CutSettings(Settings):
    """How the patches of an image sequence are cut: those that are trained on, or judged.

    The defaults are those of patches that are judged, as HPatches' are (`docs/protocol.md`).

    Attributes:
        min_sigma: Smallest scale of a point in pixels.
        jitter: Spread of the disturbance of frames, in that of HPatches' at each noise level
            (`geometry.disturbances.JITTERS`); 0 for none.
        offset: Pixels from the corner that homographies count from to the centre of the first
            pixel. HPatches' patches were cut with homographies one pixel off.
        photograph_contrast: Least contrast of a photograph's points, relative to that of HPatches'
            points (no setting). Photographs have few points else.
    """

    photograph_contrast: ClassVar[float] = 0.5

    min_sigma: float = Field(default=1.6, ge=0.8)
    jitter: float = Field(default=1.0, ge=0, le=3)
    offset: float = Field(default=-1.0, ge=-2, le=2)


class TrainingCutSettings(CutSettings):
    """How patches that are trained on are cut: also small ones, displaced less, by true places."""

    # Faint points drown in the noise: 43.2 against 47.6 mAP on real sequences with them.
    photograph_contrast: ClassVar[float] = 1.0

    min_sigma: float = Field(default=1.0, ge=0.8)
    jitter: float = Field(default=0.7, ge=0, le=3)
    offset: float = Field(default=0.0, ge=-2, le=2)


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
        training_sizes: A photograph that is trained on is made into image sequences of each of
            these sizes, relative to what `shrink` and `max_side` leave; one that is judged into
            those of size 1. From the second size on, patches are cut as those of photographs that
            are matched (`extraction.region`, `extraction.smoothing`).
    """

    shrink: float = Field(default=2.0, ge=1)
    max_side: int = Field(default=800, ge=65)
    tilt: float = Field(default=70.0, ge=0, lt=85)
    rotation: float = Field(default=90.0, ge=0, le=180)
    zoom: tuple[float, float] = (-1.2, 0.3)
    training_sizes: tuple[Size, ...] = Field(default=(1.0, 2.0), min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> PhotographSettings:
        if self.zoom[0] > self.zoom[1]:
            raise ValueError(f"zoom is {list(self.zoom)}, expected lowest <= highest")
        if len(set(self.training_sizes)) < len(self.training_sizes):
            raise ValueError(f"training_sizes {list(self.training_sizes)} name a size twice")
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
        extraction: What a point is (sequences and photographs).
        cut: How patches are cut that a model is judged on (`val` and `eval`), and by
            `hpatches extract`: as HPatches' own are.
        training_cut: How patches of `train` are cut: to be learnt from, not to be compared.
        check_homographies: Refuse image sequences whose reference and target patches hardly
            correlate. False for images of different kinds, e.g. visible and thermal light.
        photographs: How image sequences are made of photographs.
    """

    format: FormatName = PHOTOS
    split: SplitSettings = SplitSettings()
    seed: int = Field(default=0, ge=0)
    skip_bad_sequences: bool = False
    max_points: int | None = Field(default=2000, ge=2)
    extraction: ExtractionSettings = ExtractionSettings()
    cut: CutSettings = CutSettings()
    training_cut: TrainingCutSettings = TrainingCutSettings()
    check_homographies: bool = True
    photographs: PhotographSettings = PhotographSettings()

    def of_split(self, split: str) -> DataSettings:
        """Returns the settings whose `cut` is that of a split."""
        return self.model_copy(update={"cut": self.training_cut}) if split == TRAIN else self
