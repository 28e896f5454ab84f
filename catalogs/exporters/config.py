"""What to export, and in which form."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ...schemas.config import CorpusConfig, Frozen

Format = Literal["coco", "coco-panoptic", "index-png", "yolo-seg", "webdataset", "hf", "labelstudio"]

# Where the images lie now, and which version named the runs, change nothing in what is written.
_ELSEWHERE = {"version", "run_id", "corrections", "corpus"}


class ExportConfig(Frozen):
    """One export of the masks of one label run, and of what people corrected of them.

    An image that a review run of the same corpus in the version has is exported as people left it, also where
    that is without masks or where the label run passed over it; of several reviews the last one counts.

    Masks whose score or area is too small, and labels in no class where ``unknown`` is ``ignore``, are
    ignored pixels in label maps and have no annotation in formats of single masks. Where masks overlap, the
    one with the higher score lies on top in label maps, the later label by name at equal scores.
    """

    format: Format = "coco"
    version: Annotated[int, Field(ge=1)] | str | None = Field(
        None, description="catalog version or tag; default: the newest"
    )
    run_id: str | None = Field(None, description="label run; default: the newest finished one in the version")
    corrections: bool = Field(True, description="let what people corrected stand in for the masks of the run")
    classes: str | None = Field(
        None,
        description="vocabulary by name or file: its names are the classes in order, its synonyms go to "
        "them; default: every label of the run, by name",
    )
    unknown: Literal["ignore", "background"] = Field(
        "ignore", description="a label in no class of a vocabulary"
    )
    min_score: float = Field(0.0, ge=0, le=1, description="masks below are left out")
    min_area: int = Field(
        1, ge=1, description="smaller masks are left out, and parts where they are told apart, in pixels"
    )
    components: bool = Field(
        False, description="coco, coco-panoptic: one annotation per connected part, not per label"
    )
    val_share: float = Field(0.0, ge=0, lt=1, description="share of the images that is held out as val")
    seed: int = Field(0, description="of the choice of these images")
    images: Literal["copy", "none"] = Field("copy", description="none: masks only, the corpus is not read")
    image_format: Literal["keep", "jpg", "png"] = Field(
        "keep", description="keep: upright RGB and grey JPEG, PNG and WebP files as they are"
    )
    image_prefix: str = Field("", description="put before every image's name, such as a URL or a folder")
    image_suffix: str = Field("", description="put after the key where images are none, such as .jpg")
    layout: Literal["mmseg", "cityscapes"] = Field("mmseg", description="index-png: names of the files")
    shape: Literal["brush", "polygon"] = Field("brush", description="labelstudio: how a mask is drawn")
    tolerance: float = Field(
        0.75, ge=0, description="polygons: how far a corner that is left out may lie off, in pixels; 0: exact"
    )
    corpus: CorpusConfig | None = Field(
        None, description="where the images lie; default: where the run found them"
    )

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        if self.images == "copy" and self.image_suffix:
            raise ValueError("image_suffix is for images = none; copied images have that of their format")
        if self.components and self.format not in ("coco", "coco-panoptic"):
            raise ValueError(f"components are for coco and coco-panoptic, not for {self.format}")
        if self.layout == "cityscapes" and self.format != "index-png":
            raise ValueError(f"layout = cityscapes is for index-png, not for {self.format}")
        if self.layout == "cityscapes" and self.image_format == "jpg":
            raise ValueError("layout = cityscapes names PNG images, so image_format cannot be jpg")
        return self

    @property
    def tag(self) -> str | None:
        """The tag that names the version; None where a number does, or nothing."""
        given = self.version
        return given if isinstance(given, str) and not given.isdecimal() else None

    @property
    def splits(self) -> tuple[str, ...]:
        return ("train", "val") if self.val_share else ("train",)

    def identity(self) -> dict[str, object]:
        """Return the fields that decide what is written, as JSON values."""
        return self.model_dump(mode="json", exclude=_ELSEWHERE)
