"""The configuration of the whole job on the demo corpus, and the segmenter that ships for it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from .config import EvaluateConfig, FilterConfig, Frozen, LabelConfig, SegmenterConfig, TrainConfig

DEMO_SEGMENTER = SegmenterConfig(clip="demo", objectness="demo")


class DemoConfig(Frozen):
    """The whole job on the demo corpus.

    Entities are the set that ships with it, so that the demo downloads nothing and ends alike everywhere;
    ``label.filter.entities = "derive"`` finds them by NLTK.
    """

    seed: int = 7
    images: int = Field(640, ge=1, description="images to label and learn from")
    held_out: int = Field(160, ge=1, description="images to judge on")
    label: LabelConfig = LabelConfig(segmenter=DEMO_SEGMENTER, filter=FilterConfig(entities="demo"))
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()

    @model_validator(mode="before")
    @classmethod
    def _given_fields_change_the_demo_label(cls, body: Any) -> Any:
        """A given ``label`` replaces the default as a whole, and its own defaults are not the demo's."""
        label = body.get("label") if isinstance(body, dict) else None
        demo: dict[str, dict[str, str]] = {
            "segmenter": {"clip": DEMO_SEGMENTER.clip, "objectness": DEMO_SEGMENTER.objectness},
            "filter": {"entities": "demo"},
        }
        if not isinstance(label, dict) or not all(isinstance(label.get(p, {}), dict) for p in demo):
            return body
        merged = {part: {**fields, **label.get(part, {})} for part, fields in demo.items()}
        return {**body, "label": {**label, **merged}}

    @model_validator(mode="after")
    def _seed_is_not_a_training_seed(self) -> Self:
        if self.seed >= 1000:
            raise ValueError(
                "seeds from 1000 on drew the training images of the demo weights; choose a lower one"
            )
        return self
