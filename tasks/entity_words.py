"""What WordNet alone does not know about the nouns of captions; lists are kept short and are data."""

from __future__ import annotations

from typing import Final

PEOPLE: Final = "people"

# Things in WordNet, but captions use them for the picture itself, its style, or a part of it.
_PICTURE: Final = """
art background closeup collage cartoon copy design detail display drawing footage foreground frame illustration image
landscape picture photo photograph photography portrait print scene selfie set shape shot silhouette sketch still
style vector video view vintage work
"""
# Whole scenes: every pixel of the picture is in the room, so no segment of it is.
_SCENE: Final = """
airport apartment area bathroom bay bedroom city classroom coast court downtown enclosure farm garden hall harbor
interior island kitchen land lobby market office outdoors park place restaurant restroom room scenery
school shop stadium station store studio suburb town village world zoo
"""
# Measures, positions and heaps, and things too general to look like anything.
_GENERAL: Final = """
accessory appliance back base bottom bunch cell center collection couple cover crowd day decker decoration device
edge element end entrance equipment front group hole item line lot material match middle motor motion night object
opening pair part pattern piece pile pop product row seat short side slice stall stand structure stuff surface thing
time top topping track transit type
"""
# Meals are occasions, and body parts lie inside people.
_PART: Final = """
arm body breakfast dinner eye face finger foot hair hand head leg lunch mouth neck shoulder tail tooth
"""
NO_REGION: Final = frozenset(f"{_PICTURE} {_SCENE} {_GENERAL} {_PART}".split())

# Everyday things whose words mostly mean something else in WordNet.
THINGS: Final = frozenset(
    """
    board branch brush bush card ceiling church cloud controller forest fry meter moon pie poster ring sign van
    """.split()
)

# People who are not counted as such by their WordNet senses.
PERSONS: Final = frozenset(
    """
    adult cyclist driver female guest guy leader male man men mother people person soldier somebody someone teenager
    women worker
    """.split()
)

# Words for the same kind of thing; those of the released CC4M list come from vocabularies/cc4m.toml.
SAME: Final = {
    "aeroplane": ("aircraft", "airliner", "jet", "jetliner", "plane"),
    "bicycle": ("cycle",),
    "bird": ("songbird",),
    "boat": ("rowboat", "sailboat", "ship"),
    "bus": ("minibus",),
    "car": ("auto", "automobile"),
    "cat": ("kitten", "kitty"),
    "cow": ("cattle",),
    "cup": ("mug", "teacup"),
    "dog": ("pup", "puppy"),
    "donut": ("doughnut",),
    "flower": ("blossom",),
    "house": ("cottage", "home"),
    "mushroom": ("toadstool",),
    "phone": ("cellphone", "smartphone", "telephone"),
    "racket": ("racquet",),
    "refrigerator": ("fridge",),
    "sofa": ("settee",),
    "tv": ("television",),
    "umbrella": ("parasol",),
}

# Plural in form only: WordNet's lemma of them is another thing, or none.
PLURAL_ONLY: Final = frozenset(
    """
    binoculars clothes eyeglasses goggles headphones jeans leggings overalls pajamas pants scissors shorts sunglasses
    tights trousers
    """.split()
)
