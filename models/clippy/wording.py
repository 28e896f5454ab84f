"""What the text tower is asked for the classes of a vocabulary (Appendix I)."""

from __future__ import annotations

from dataclasses import dataclass

from ...schemas.vocabulary import Vocabulary, VocabularyClass

BARE = ("{}",)


@dataclass(frozen=True)
class Wording:
    """How classes are put into prompts.

    Args:
        templates: with one ``{}`` each; None: the vocabulary's own.
        articles: put "a photo of a", or "an", before each word, in lower case, as the released code does;
            templates come on top.
        each: every word of class 0 is asked for by itself, instead of their mean.
    """

    templates: tuple[str, ...] | None = BARE
    articles: bool = False
    each: bool = False

    def ask(self, vocabulary: Vocabulary) -> tuple[Vocabulary, int]:
        """Return classes whose words are the prompts, and how many of the first mean class 0."""
        words = [c.words for c in vocabulary.classes]
        if self.each:
            words = [*((word,) for word in dict.fromkeys(words[0])), *words[1:]]
        if self.articles:
            words = [tuple(map(with_article, own)) for own in words]
        classes = tuple(VocabularyClass(name=own[0], synonyms=own[1:]) for own in words)
        # Two classes may have a word in common, which names of a checked vocabulary may not.
        asked = Vocabulary.model_construct(
            name=vocabulary.name, classes=classes, templates=self.templates or vocabulary.templates
        )
        return asked, len(words) - len(vocabulary.classes) + 1


def with_article(word: str) -> str:
    """Return "a photo of a" word, "an" before a vowel, in lower case."""
    return f"a photo of {'an' if word.startswith(tuple('aeiou')) else 'a'} {word}".lower()
