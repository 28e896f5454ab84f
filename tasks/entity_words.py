"""What WordNet does not know about the nouns of captions: short lists, seen to matter on COCO and CC3M."""

from __future__ import annotations

from typing import Final


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


PEOPLE: Final = "people"

# Things in WordNet, but captions use them for the picture itself, its style, or a part of it.
_PICTURE: Final = """
art background closeup collage cartoon copy design detail display drawing footage foreground frame
illustration image landscape picture photo photograph photography portrait poster print scene selfie set shape
shot silhouette sketch sticker still style vector video view vintage wallpaper work
"""
# Whole scenes: every pixel of the picture is in the room, so no segment of it is.
_SCENE: Final = """
airport apartment area bathroom bay bedroom city classroom coast court downtown enclosure farm garden hall
harbor interior island kitchen land lobby market office outdoors park place restaurant restroom room scenery
school shop stadium station store studio suburb town village world zoo
"""
# Measures, positions and heaps, and things too general to look like anything ("image may contain: person
# playing a musical instrument").
_GENERAL: Final = """
accessory animal appliance back base bottom bunch cancer cell center collection couple cover crowd day decker
decoration device edge element end entrance equipment front furniture group hole instrument item line lot
match material middle motion motor night nobody object opening pair part pattern piece pile pop product row
seat short side slice stall stand structure stuff surface thing time top topping track transit type vehicle
"""
# Meals are occasions, and body parts lie inside people.
_PART: Final = """
arm body breakfast dinner eye face finger foot hair hand head leg lunch mouth neck shoulder tail tooth
"""
NO_REGION: Final = _words(_PICTURE, _SCENE, _GENERAL, _PART) | {"musical instrument"}

# Everyday things whose words mostly mean something else in WordNet.
THINGS: Final = _words(
    "bleacher board branch brush bush card ceiling church cloud controller forest fry meter moon pie ring",
    "sign van",
)

# People who are not counted as such by their WordNet senses.
PERSONS: Final = _words(
    "adult cyclist driver female guest guy leader male man men mother people person soldier somebody someone",
    "teenager women worker",
)

# Words for the same kind of thing, and compounds that WordNet does not place below their heads. Those of the
# released CC4M list stand in vocabularies/cc4m.toml.
SAME: Final = {
    "aeroplane": _words("aircraft airliner jet jetliner plane"),
    "bag": _words("purse"),
    "bicycle": _words("cycle"),
    "bird": _words("songbird"),
    "boat": _words("rowboat sailboat ship"),
    "bus": _words("minibus"),
    "car": _words("auto automobile"),
    "cat": _words("kitten kitty"),
    "cow": _words("cattle"),
    "cup": _words("mug teacup"),
    "dog": _words("pup puppy"),
    "donut": _words("doughnut"),
    "flower": _words("blossom"),
    "glass": _words("wineglass"),
    "house": _words("cottage home"),
    "laptop": frozenset(("laptop computer", "notebook computer")),
    "microwave": frozenset(("microwave oven",)),
    "monitor": frozenset(("computer monitor", "computer screen")),
    "mouse": frozenset(("computer mouse",)),
    "mushroom": _words("toadstool"),
    "phone": _words("cellphone smartphone telephone"),
    "racket": _words("racquet"),
    "refrigerator": _words("fridge"),
    "remote": frozenset(("remote control",)),
    "sea": _words("ocean"),
    "skis": _words("ski"),
    "sofa": _words("settee"),
    "suitcase": _words("baggage luggage"),
    "tv": frozenset(("television", "television set", "tv set")),
    "umbrella": _words("parasol"),
}

# Adjectives that describe the thing they stand before, whatever WordNet calls a "white horse" (a wave).
PLAIN: Final = _words(
    "beautiful big black blue brown cute gray green grey huge large little long new old open pink purple red",
    "short silver small tall white wild yellow young",
)

# Plural in form only: WordNet's lemma of them is another thing, or none.
PLURAL_ONLY: Final = _words(
    "binoculars clothes eyeglasses goggles headphones jeans leggings overalls pajamas pants scissors shorts",
    "sunglasses tights trousers",
)
