"""Commands about segmenters themselves: segment, segmenters, train-objectness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from pydantic import BaseModel

from ...schemas.config import ObjectnessConfig, SegmenterConfig
from ...schemas.config_files import load_config
from ...schemas.errors import ConfigError
from ...schemas.vocabulary import Vocabulary, load_vocabulary
from .app import app
from .options import ConfigFile, CorpusOptions, OutputOptions, SegmenterOptions
from .output import reporting

if TYPE_CHECKING:
    from ...models.segmenters import SegmenterCard
    from ...tasks.segment_images import Refused, Segmented


@app.command(
    help_epilogue="""
Examples:

    maskmill segmenters
    maskmill segmenters clip-diy
    maskmill segmenters --json
"""
)
def segmenters(
    name: Annotated[str | None, Parameter(help="Show this one with all its options.")] = None,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """List the registered segmenters: what they are, their modes, weights and options."""
    from json import dumps

    from ...models.segmenters import registered, segmenter_card

    cards = [segmenter_card(n) for n in ([name] if name else registered())]
    if json:
        print(dumps([_described(card) for card in cards], indent=2))
    elif name:
        print(_page(cards[0]))
    else:
        print("\n\n".join(_entry(card) for card in cards))


@app.command(
    help_epilogue="""
Examples:

    maskmill segment photo.jpg --classes "cat, dog, sofa" --out overlay.png
    maskmill segment photo.jpg --classes "cat, dog" --out overlay.png --heat-maps --option mode=released
    maskmill segment photos/ --vocabulary voc21 --segmenter maskclip --clip ViT-B-16:openai --out overlays/
"""
)
def segment(
    image: Annotated[Path, Parameter(help="An image file, or a folder of them.")],
    *,
    out: Annotated[Path, Parameter(help="The overlay's file; of a folder, a folder.")],
    classes: Annotated[str | None, Parameter(help="What to look for, separated by commas.")] = None,
    vocabulary: Annotated[
        str | None, Parameter(help="Instead of --classes: a vocabulary's name or file.")
    ] = None,
    heat_maps: Annotated[
        bool, Parameter(negative="", help="Also a sheet of each class at each scale.")
    ] = False,
    segmenter: SegmenterOptions = SegmenterOptions(),
    output: OutputOptions = OutputOptions(),
) -> int:
    """Segment IMAGE and draw what was found; no catalog is involved. Exits with 6 if an image was refused."""
    words = _words(classes, vocabulary)
    settings = load_config(SegmenterConfig, None, segmenter.overrides())
    from ...tasks.segment_images import Refused, SegmentRequest, segment_images

    with reporting(output) as summary:
        request = SegmentRequest(image, out, words, heat_maps)
        results = segment_images(request, settings, summary.watcher)
        refused = [result for result in results if isinstance(result, Refused)]
        summary.add(images=len(results), errors=len(refused))
        for result in results:
            summary.notes.extend(_told(result))
    return 6 if refused else 0


@app.command(
    help_epilogue="""
Examples:

    maskmill train-objectness ./photos --out found.safetensors --backbone timm:vit_small_patch8_224.dino
    maskmill train-objectness cc3m/ --out head.safetensors --backbone clip --clip RN50:openai --images 300
"""
)
def train_objectness(
    corpus: str,
    *,
    out: Annotated[Path, Parameter(help="The head's .safetensors file, for --objectness.")],
    backbone: Annotated[str | None, Parameter(help="`timm:NAME`, `timm:NAME:FILE` or `clip`.")] = None,
    clip: Annotated[str | None, Parameter(help="The CLIP that `clip` means.")] = None,
    images: Annotated[int | None, Parameter(help="How many images are learned from.")] = None,
    device: Annotated[str | None, Parameter(help="`auto`, `cpu`, `cuda` ...")] = None,
    config: ConfigFile = None,
    reading: CorpusOptions = CorpusOptions(),
    output: OutputOptions = OutputOptions(),
) -> None:
    """Train FOUND's objectness head on the images of CORPUS; no captions and no masks are needed."""
    given = {"backbone": backbone, "clip": clip, "images": images, "device": device}
    settings = load_config(ObjectnessConfig, config, given)
    from ..objectness import objectness

    with reporting(output) as summary:
        result = objectness(reading.of(corpus), out.resolve(), settings)
        summary.add(images=result.images, errors=result.skipped)
        summary.notes.append(f"head     {result.head}  (loss {result.loss:.3f})")


def _words(classes: str | None, vocabulary: str | None) -> Vocabulary:
    if (classes is None) == (vocabulary is None):
        raise ConfigError("give --classes or --vocabulary, one of them")
    if vocabulary is not None:
        return load_vocabulary(vocabulary)
    names = [name.strip() for name in (classes or "").split(",") if name.strip()]
    if not names:
        raise ConfigError("--classes names nothing: separate the classes by commas")
    return Vocabulary.of(names)


def _told(result: Segmented | Refused) -> list[str]:
    from ...tasks.segment_images import Refused

    if isinstance(result, Refused):
        return [f"{result.image}: not segmented: {result.reason}"]
    heat = f", {result.heat}" if result.heat else ""
    lines = [f"{result.image} -> {result.overlay}{heat}"]
    if not result.found:
        return [*lines, "    nothing but background"]
    return lines + [
        f"    {_percent(share)}  {name}  (score {score:.2f})" for name, share, score in result.found
    ]


def _percent(share: float) -> str:
    return f"{share:6.1%}" if share >= 0.0005 else " <0.1%"


def _described(card: SegmenterCard) -> dict[str, Any]:
    defaults = card.options().model_dump(mode="json")
    options = {
        name: {"default": defaults[name], "description": field.description}
        for name, field in card.options.model_fields.items()
    }
    return {
        "name": card.name,
        "summary": card.summary,
        "modes": card.modes,
        "paper": card.paper,
        "weights": card.weights,
        "licence": card.licence,
        "options": options,
    }


def _entry(card: SegmenterCard) -> str:
    modes = f"  (modes: {', '.join(card.modes)})" if card.modes else ""
    lines = [f"{card.name}{modes}", f"    {card.summary}"]
    facts = (("paper", card.paper), ("weights", card.weights), ("licence", card.licence))
    return "\n".join(lines + [f"    {what + ':':<9}{text}" for what, text in facts if text])


def _page(card: SegmenterCard) -> str:
    lines = [_entry(card), "", "    options, as --option NAME=VALUE or below [segmenter.options] of a file:"]
    for name, field in card.options.model_fields.items():
        default = getattr(card.options(), name)
        if isinstance(default, BaseModel):
            lines += [f"      {name}.{part} = {value!r}" for part, value in default]
        else:
            lines.append(f"      {name} = {default!r}")
        if field.description:
            lines.append(f"          {field.description}")
    return "\n".join(lines if card.options.model_fields else lines[:1])
