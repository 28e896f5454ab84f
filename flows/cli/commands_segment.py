"""Commands about segmenters themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from .app import app

if TYPE_CHECKING:
    from ...models.segmenters import SegmenterCard


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


def _described(card: SegmenterCard) -> dict[str, Any]:
    fields = card.options.model_fields
    options = {
        name: {"default": field.get_default(call_default_factory=True), "description": field.description}
        for name, field in fields.items()
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
        lines.append(f"      {name} = {field.get_default(call_default_factory=True)!r}")
        if field.description:
            lines.append(f"          {field.description}")
    return "\n".join(lines if card.options.model_fields else lines[:1])
