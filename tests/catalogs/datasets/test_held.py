from __future__ import annotations

import pickle

from maskmill.catalogs.datasets.held import Held


def test_what_was_asked_for_last_is_kept() -> None:
    made: list[str] = []

    def ask(name: str, size: int = 4) -> str:
        return held.get(name, lambda: (made.append(name) or name.upper(), size))

    held: Held[str] = Held(10)
    assert [ask(n) for n in "abacab"] == list("ABACAB")
    assert made == ["a", "b", "c", "b"]
    assert ask("large", 100) == ask("large", 100) == "LARGE"
    assert made[4:] == ["large"]
    ask("a")
    assert made[5:] == ["a"]
    held = pickle.loads(pickle.dumps(held))
    ask("a")
    assert made[6:] == ["a"]
