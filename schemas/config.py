"""Frozen configurations of the flows; their hash is part of a run's identity and stored with it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)


class Frozen(BaseModel):
    """Base of all configurations: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmenterConfig(Frozen):
    """Which segmenter, on which weights.

    ``clip`` is ``demo``, an open_clip pair ``MODEL:PRETRAINED`` or a folder with ``open_clip_config.json``.
    ``objectness`` is ``none``, ``demo``, a trained FOUND head (``.safetensors``, ``.pt``) or ``bkg:BACKBONE``
    for training-free FOUND-bkg on a timm backbone, or on CLIP's own (``bkg:clip``), or ``instances:SOURCE``
    for instance masks such as CutLER's. A segmenter that needs neither leaves them alone; ``options`` are its
    own, ``maskmill segmenters NAME`` lists them.
    """

    id: str = "clip-diy"
    clip: str = "ViT-B-32:laion2b_s34b_b79k"
    objectness: str = "bkg:vit_small_patch8_224.dino"
    options: dict[str, Any] = Field({}, description="of the segmenter itself: mode, sizes ...")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:0 ...")


class PoolConfig(Frozen):
    """How a stage's shards are spread over workers."""

    backend: Literal["ray", "inline"] = "ray"
    workers: int | None = Field(None, ge=1, description="default: one per GPU, or one per core without a GPU")
    address: str | None = Field(None, description="Ray cluster to join; default: a local one, or RAY_ADDRESS")
    shard_timeout: float = Field(3600.0, gt=0, description="seconds one shard may take")
    shard_tries: int = Field(3, ge=1, description="infrastructure failures before a shard is quarantined")
    error_limit: float = Field(0.2, ge=0, le=1, description="share of bad samples above which a stage fails")


class CorpusConfig(Frozen):
    """Which corpus to read, and how.

    ``name`` is the first half of a sample's identity; it defaults to the last part of ``uri``.
    ``format`` is found by the suffix of ``uri``, or by what its folder holds.
    ``images`` is the folder of the image files that a COCO JSON, a Parquet file or delimited text names; it
    defaults to ``images`` beside that file, or the file's own folder.
    ``key_column``, ``caption_columns`` and ``image_column`` are of Parquet, delimited text (also by number,
    ``"0"`` the first) and the metadata of an image folder; they default to the usual names.
    """

    uri: str
    name: str | None = None
    format: Literal["auto", "tar", "coco", "parquet", "delimited", "folder"] = "auto"
    images: str | None = None
    key_column: str | None = Field(None, min_length=1, description="keys that are unique in the corpus")
    caption_columns: tuple[str, ...] = Field((), description="each holds a caption, or a list of them")
    image_column: str | None = Field(None, min_length=1, description="image bytes, a path or a URL")
    shard_size: int = Field(
        1000, ge=1, description="samples per shard where the corpus has no shards of its own"
    )
    limit: int | None = Field(
        None, ge=1, description="stop after this many samples; tars, Parquet and text end with their shard"
    )


class FilterConfig(Frozen):
    """Captions to entities (CC4M-style).

    ``entities`` is ``derive`` (from the corpus by NLTK: the paper's way), ``released`` (the authors' hundred
    names, found as their code finds them: NLTK's tokens, equal letter by letter), a shipped vocabulary's name
    or a vocabulary file.
    """

    entities: str = "derive"
    sample: float = Field(
        1.0, gt=0, le=1, description="share of the captions that a derived set is counted on; they are hashed"
    )
    seed: int = Field(0, description="of the choice of these captions")
    drop_duplicates: bool = Field(
        True, description="drop images whose file equals an earlier one's; reads every image file once"
    )
    min_short_side: int | None = Field(
        None, ge=1, description="drop images with a shorter side, pixels; default: drop none for its size"
    )
    latin_only: bool = Field(True, description="drop captions of whose letters most are not Latin")
    top_k: int = Field(100, ge=1, description="how many frequent visual nouns are kept")
    min_count: int = Field(2, ge=1, description="captions that must name an entity")
    nltk_data: str | None = Field(None, description="folder with NLTK data; default: NLTK's own search path")
    pool: PoolConfig = PoolConfig()


class LabelConfig(Frozen):
    """Images to masks. ``vocabulary`` is ``captions``, a shipped vocabulary's name or a file."""

    segmenter: SegmenterConfig = SegmenterConfig()
    vocabulary: str = "captions"
    filter: FilterConfig = FilterConfig()
    batch_images: int = Field(8, ge=1, description="images per call of the segmenter")
    decode_threads: int = Field(2, ge=1)
    max_pixels: int = Field(100_000_000, ge=1, description="larger images are errors, not decoded")
    min_area: int = Field(16, ge=1, description="smaller masks, in pixels, are dropped")
    pool: PoolConfig = PoolConfig()


class TrainConfig(Frozen):
    """A student segmentation network on one pinned catalog version.

    The defaults suit the demo: a small CLIP that has only seen crops of 64 pixels, two cores, a minute. For
    photographs and a full CLIP choose ``short_side`` and ``crop`` near the encoder's own image size or above.
    """

    encoder: str = Field(
        "demo", description="CLIP whose image trunk starts the student, as SegmenterConfig.clip"
    )
    steps: int = Field(1600, ge=1)
    batch_size: int = Field(8, ge=2)
    crop: int = Field(128, ge=32, multiple_of=32, description="training crop, pixels")
    short_side: int = Field(128, ge=32, description="images are resized to this short side first, pixels")
    learning_rate: float = Field(4e-3, gt=0, description="peak, of the untrained decoder")
    trunk_rate: float = Field(0.2, ge=0, description="learning rate of the trunk as a share of the decoder's")
    weight_decay: float = Field(1e-2, ge=0)
    ema_decay: float = Field(0.98, ge=0, lt=1, description="of the running average of the weights, per step")
    decoder_width: int = Field(64, ge=8, description="channels of the decoder")
    min_score: float = Field(0.0, ge=0, le=1, description="masks below are ignored in the loss")
    min_confidence: float = Field(
        0.4, ge=0, le=1, description="a pixel whose best class is less probable is background"
    )
    seed: int = 0
    device: str = "auto"
    loader_workers: int = Field(
        0, ge=0, description="processes that decode and crop; 0 is the training process"
    )
    label_run: str | None = Field(
        None, description="label run to learn from; default: the newest in the version"
    )
    corpus: CorpusConfig | None = Field(
        None, description="where the images lie; default: where the run found them"
    )
    corrections: bool = Field(True, description="masks that people drew stand in for those of the run")

    @model_serializer(mode="wrap")
    def _without_the_default(self, serialised: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Name ``corrections`` only where it is off: runs from before there was a choice keep their hash."""
        found: dict[str, Any] = serialised(self)
        return {name: value for name, value in found.items() if name != "corrections" or not value}


class ObjectnessConfig(Frozen):
    """A head for FOUND's objectness, trained on the images of a corpus without any annotation.

    The defaults are the authors' recipe on a DINO transformer. The backbone's features of all ``images`` are
    held in memory: a photograph takes about 7 MB with DINO ViT-S/8.
    """

    backbone: str = Field(
        "timm:vit_small_patch8_224.dino",
        description="`timm:NAME`, `timm:NAME:FILE`, a timm folder as `timm:FOLDER`, or `clip` for CLIP's own",
    )
    clip: str = Field("demo", description="the CLIP that `clip` means, as SegmenterConfig.clip")
    layer: str | None = Field(None, description="stages of a CLIP ResNet, such as layer2+layer3+layer4")
    images: int = Field(500, ge=1, description="at most so many are learned from, drawn by the seed")
    iterations: int = Field(500, ge=1)
    batch: int = Field(50, ge=1, description="images per iteration")
    learning_rate: float = Field(0.05, gt=0)
    self_training_from: int = Field(100, ge=0, description="iteration from which the head teaches itself")
    background_threshold: float = Field(0.3, ge=-1, le=1, description="similarity to the background's seed")
    refresh: int = Field(1, ge=1, description="iterations for which a bilateral refinement is kept")
    standardise: bool = Field(False, description="channels of mean 0 and deviation 1; suits ResNet stages")
    short_side: int | None = Field(
        None, ge=1, description="images are resized to it, pixels; default: as they are"
    )
    max_pixels: int = Field(100_000_000, ge=1)
    seed: int = 0
    device: str = "auto"


class EvaluateConfig(Frozen):
    """mIoU of a segmenter or a student against ground truth.

    ``vocabulary`` is a shipped vocabulary's name, ``NAME:WORDING`` (``voc21:groupvit``) or a file; by default
    that of the dataset's layout in the words of the protocol, and ``demo`` for a dataset of no known layout.
    """

    vocabulary: str | None = None
    protocol: str = Field(
        "known",
        description="known, clip-diy, groupvit, ovsegmentor, tcl, sclip, each also as FAMILY/bg=RULE; "
        "zero-guidance, grouping",
    )
    sentence_encoder: str = Field(
        "sentence-transformers/all-mpnet-base-v2",
        description="of zero-guidance: a sentence-transformers model on the hub, or its folder",
    )
    split: str | None = Field(None, description="of LAYOUT:PATH; default: the one that papers report")
    ground_truth: str | None = Field(
        None, description="folder of index PNGs; default: what the dataset holds itself"
    )
    restrict_to_captions: bool = Field(False, description="offer each image only what its own captions name")
    unknown: tuple[str, ...] = Field((), description="classes whose mIoU is told apart from the others'")
    boundary: bool = Field(False, description="measure the boundary F as well")
    batch_images: int = Field(8, ge=1)
    device: str = Field("auto", description="of a student; a teacher has its own")
    max_pixels: int = Field(100_000_000, ge=1)
    pool: PoolConfig = PoolConfig()
