"""Class names in a text file, one a line, whatever characters they hold."""

from __future__ import annotations

import json


def name_line(name: str) -> str:
    """Return a name as one line of a list, without its end.

    Most stand there as they are. One that is more than a line, begins or ends with white space, or begins
    with ``"`` stands as a JSON string, so that no two names have one line and every name can be read back.
    """
    plain = name == name.strip() and len(name.splitlines()) == 1 and not name.startswith('"')
    return name if plain else json.dumps(name)


def line_name(line: str) -> str:
    """Return the name that stands in a line; a JSON string is what it says, any other text is itself."""
    text = line.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            name = json.loads(text)
        except ValueError:
            return text
        return name if isinstance(name, str) else text
    return text
