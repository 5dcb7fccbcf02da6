"""What a user can set about the data: where patches come from and how they are cut."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainer.core.settings import Settings

SourceType = Literal["strips", "sequences", "photos"]
Detector = Literal["hessian", "harris", "dog"]
OfficialSplit = Literal["a", "b", "c", "illum", "view"]
Range = Annotated[tuple[float, float], Field(description="lowest and highest value")]


class SplitSettings(Settings):
    """How image sequences are divided into train, val and eval; always by source.

    Attributes:
        rule: `official` takes the HPatches split `name` (eval = its test list); `file`
            reads the lists from `file`; `share` draws `eval_share` of the sources.
        name: Official split, or the split to take from a file that holds several.
        file: JSON of the shape of HPatches' `splits.json`, or `{"train": [], "test": []}`.
        eval_share: Share of the sources that the rule `share` keeps for evaluation.
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
    """Disturbance of a frame before it is projected; lengths in half-widths of the region.

    At strength t: translation sigma `translation * t` per axis, rotation sigma
    `rotation * t` degrees, logarithm of the scale sigma `log_scale * t`, logarithm of the
    stretch along a random axis (and of the shrinkage across it) sigma `log_anisotropy * t`.
    The default strengths give a median overlap (intersection over union with the
    undisturbed frame's ellipse) of 0.85, 0.72 and 0.60.

    Source: HPatches, section 4 (easy and hard); tough is not published and taken as 0.60.
    """

    easy: float = Field(default=0.617, ge=0)
    hard: float = Field(default=1.211, ge=0)
    tough: float = Field(default=1.890, ge=0)
    translation: float = Field(default=0.10, ge=0)
    rotation: float = Field(default=9.0, ge=0)
    log_scale: float = Field(default=0.12, ge=0)
    log_anisotropy: float = Field(default=0.12, ge=0)


class ExtractionSettings(Settings):
    """How points are found and patches cut.

    Attributes:
        detectors: Which kinds of points are looked for.
        min_sigma: Smallest detection scale in pixels; the smallest region is 10 times that.
        hessian_threshold: Least scale-normalised determinant of the Hessian, grey in 0..1.
        harris_threshold: Least det/trace of the scale-normalised second-moment matrix.
        dog_threshold: Contrast threshold of OpenCV's SIFT detector.
        max_overlap: Detected discs (radius sigma) that overlap more are one cluster, of
            which a random member stays.
        half_width: Half the side of the measurement region, in sigmas.
        jitter: Disturbance of the frames of the target patches.
    """

    detectors: tuple[Detector, ...] = Field(default=("hessian", "harris", "dog"), min_length=1)
    min_sigma: float = Field(default=1.6, ge=0.8)
    hessian_threshold: float = Field(default=2e-4, gt=0)
    harris_threshold: float = Field(default=2e-4, gt=0)
    dog_threshold: float = Field(default=0.03, gt=0)
    max_overlap: float = Field(default=0.5, gt=0, lt=1)
    half_width: float = Field(default=5.0, gt=0)
    jitter: JitterSettings = JitterSettings()


class PhotometricSettings(Settings):
    """What the camera and the light do to one image; each range is drawn from uniformly.

    Attributes:
        reference: Share of every disturbance that the reference image gets.
        blur: Sigma of a Gaussian blur in pixels.
        noise: Sigma of Gaussian noise in grey levels.
        exposure: Stops by which the image is brighter or darker (up to plus or minus).
        contrast: Logarithm of the contrast factor about middle grey (plus or minus).
        gamma: Logarithm of the exponent of the tone curve (plus or minus).
        shading: Stops between opposite edges of a linear light gradient.
        jpeg: Lowest and highest JPEG quality.
    """

    reference: float = Field(default=0.5, ge=0, le=1)
    blur: Range = (0.3, 1.0)
    noise: Range = (2.0, 6.0)
    exposure: float = Field(default=0.3, ge=0)
    contrast: float = Field(default=0.15, ge=0)
    gamma: float = Field(default=0.15, ge=0)
    shading: float = Field(default=0.3, ge=0)
    jpeg: tuple[int, int] = (50, 95)

    @model_validator(mode="after")
    def _ordered(self) -> PhotometricSettings:
        for key in ("blur", "noise", "jpeg"):
            low, high = getattr(self, key)
            if not 0 <= low <= high:
                raise ValueError(f"{key} is [{low}, {high}], expected 0 <= lowest <= highest")
        if not 1 <= self.jpeg[0] <= self.jpeg[1] <= 100:
            raise ValueError(f"jpeg is {list(self.jpeg)}, expected qualities within 1..100")
        return self


class PhotographSettings(Settings):
    """How image sequences are made of a photograph.

    Attributes:
        shrink: The reference is at least this many times smaller than the photograph, so
            that targets hold detail which the reference does not.
        max_side: Photographs are shrunk further until the longer side has this many pixels.
        tilt: Viewpoint change in degrees at the last target; it grows with the target.
        rotation: Rotation in the image plane in degrees (plus or minus) at the last target.
        zoom: Octaves by which the last target is smaller (negative) or larger.
        min_sigma: Replaces `extraction.min_sigma`: references are shrunk, so detail that
            was worth finding has become smaller.
        threshold_factor: Factor on the detection thresholds, for the same reason.
        shake: Camera movement within `i_` sequences, as a share of the image's width.
        viewpoint: Light and camera of the `v_` sequences.
        illumination: Light and camera of the `i_` sequences.
    """

    shrink: float = Field(default=2.0, ge=1)
    max_side: int = Field(default=800, ge=65)
    tilt: float = Field(default=70.0, ge=0, lt=85)
    rotation: float = Field(default=90.0, ge=0, le=180)
    zoom: Range = (-1.2, 0.3)
    min_sigma: float = Field(default=1.3, ge=0.8)
    threshold_factor: float = Field(default=0.5, gt=0, le=1)
    shake: float = Field(default=0.02, ge=0, le=0.2)
    viewpoint: PhotometricSettings = PhotometricSettings()
    illumination: PhotometricSettings = PhotometricSettings(
        blur=(0.3, 1.5), noise=(2.0, 8.0), exposure=1.5, contrast=0.4, gamma=0.5, shading=1.0,
        jpeg=(20, 90),
    )  # fmt: skip


class DataSettings(Settings):
    """Everything that decides what the examples are.

    Attributes:
        source: What lies in the data folder: an HPatches patch release, image sequences with
            homographies, or photographs.
        split: Division into train, val and eval.
        seed: Seed of every random choice; same seed and data give the same bytes.
        skip_bad_sequences: Go on without sequences that cannot be read, and list them.
        max_points: Most patch sequences cut from an image sequence, chosen by seed. Patch
            releases are read whole, because official task files count on their indices.
        extraction: How points are found and patches cut (sequences and photographs).
        photographs: How image sequences are made of photographs.
    """

    source: SourceType = "photos"
    split: SplitSettings = SplitSettings()
    seed: int = Field(default=0, ge=0)
    skip_bad_sequences: bool = False
    max_points: int | None = Field(default=300, ge=2)
    extraction: ExtractionSettings = ExtractionSettings()
    photographs: PhotographSettings = PhotographSettings()
