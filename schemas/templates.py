"""Prompt templates that CLIP papers share: one, the 80 of ImageNet, the 85 of MaskCLIP and CLIP-S4."""

from __future__ import annotations

from pathlib import Path

from .errors import ConfigError
from .vocabulary import Vocabulary

SINGLE = ("a photo of a {}",)

# Radford et al. 2021, published with CLIP for zero-shot classification of ImageNet.
IMAGENET = (
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a plushie {}.",
    "a photo of the nice {}.",
    "a photo of the small {}.",
    "a photo of the weird {}.",
    "the cartoon {}.",
    "art of the {}.",
    "a drawing of the {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "the plushie {}.",
    "a dark photo of a {}.",
    "itap of a {}.",
    "graffiti of the {}.",
    "a toy {}.",
    "itap of my {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "a tattoo of the {}.",
)

# Zhou et al. 2022 (MaskCLIP); CLIP-S4 takes the same 85.
SCENE = (
    *IMAGENET,
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)

TEMPLATE_SETS = {"1": SINGLE, "80": IMAGENET, "85": SCENE}


def load_templates(name_or_path: str) -> tuple[str, ...]:
    """Return a set of templates by its size (``1``, ``80``, ``85``), or from a text file, a template a line.

    Raises:
        ConfigError: there is no such set or file, or a line has not exactly one ``{}``.
    """
    if name_or_path in TEMPLATE_SETS:
        return TEMPLATE_SETS[name_or_path]
    path = Path(name_or_path)
    if not path.is_file():
        raise ConfigError(
            f"no templates {name_or_path!r}: give a text file or one of {', '.join(TEMPLATE_SETS)}"
        )
    try:
        lines = tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"templates {name_or_path!r} cannot be read: {err}") from err
    wrong = next((line for line in lines if line.count("{}") != 1), None if lines else "")
    if wrong is not None:
        raise ConfigError(f"templates {name_or_path!r}: every line needs exactly one {{}}, got {wrong!r}")
    return lines


def templates_or_own(choice: str) -> tuple[str, ...] | None:
    """Return the templates that an option names, None for ``own``: those of each vocabulary.

    Raises:
        ConfigError: there are no such templates.
    """
    return None if choice == "own" else load_templates(choice)


def with_templates(vocabulary: Vocabulary, templates: tuple[str, ...] | None) -> Vocabulary:
    """Return the vocabulary with these templates in place of its own; None leaves it as it is."""
    return vocabulary if templates is None else vocabulary.model_copy(update={"templates": templates})
