"""Words of a query against words of a document: stop words, plain stems, a few synonyms."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "by",
        "for",
        "from",
        "has",
        "have",
        "in",
        "into",
        "is",
        "it",
        "its",
        "near",
        "of",
        "on",
        "or",
        "over",
        "some",
        "that",
        "the",
        "their",
        "there",
        "this",
        "to",
        "under",
        "was",
        "were",
        "where",
        "which",
        "who",
        "with",
    ]
)
_SYNONYM_QUALITY = 0.85
_BEST_SCORE = 0.95
_GROUPS = (
    ("car", "automobile", "vehicle"),
    ("truck", "lorry", "vehicle"),
    ("bike", "bicycle", "cycle"),
    ("person", "human", "man", "woman", "people"),
    ("shape", "circle", "square", "rectangle", "triangle", "object"),
    ("circle", "ball", "disc", "disk", "round"),
    ("square", "box", "block", "cube", "rectangle"),
    ("purple", "violet"),
    ("pink", "magenta"),
    ("cyan", "turquoise", "teal"),
    ("grey", "gray"),
    ("dark", "night", "black", "dim"),
    ("bright", "day", "light", "sunny"),
    ("clip", "video", "footage", "movie"),
    ("picture", "image", "photo"),
)
_ENDINGS = ("ing", "ies", "es", "ed", "s")


@dataclass(frozen=True, kw_only=True)
class Query:
    """The words of a query, each with everything that counts as a match and how well it counts."""

    terms: tuple[Mapping[str, float], ...]

    @classmethod
    def of(cls, text: str) -> "Query":
        """Read a natural-language query; if it has nothing but stop words, those are what is looked for."""
        tokens = list(dict.fromkeys(_tokens(text)))
        telling = [token for token in tokens if token not in _STOP_WORDS] or tokens
        return cls(terms=tuple(_accepted(token) for token in telling))

    def touches(self, vocabulary: frozenset[str]) -> bool:
        """Whether any word of the query counts as matched by this vocabulary."""
        return any(not vocabulary.isdisjoint(term) for term in self.terms)

    def score(self, *documents: tuple[frozenset[str], float]) -> float:
        """How well documents (stems, weight in 0-1) answer the query: 0-1, the mean over the query's words."""
        if not self.terms:
            return 0.0
        total = 0.0
        for term in self.terms:
            total += max(
                (
                    weight * max((quality for word, quality in term.items() if word in words), default=0.0)
                    for words, weight in documents
                ),
                default=0.0,
            )
        return _BEST_SCORE * total / len(self.terms)


def stems(*texts: str) -> frozenset[str]:
    """The stems of all words in these texts, stop words left out."""
    return frozenset(_stem(token) for text in texts for token in _tokens(text) if token not in _STOP_WORDS)


def tag_words(tags: Iterable[str]) -> frozenset[str]:
    """The words of tags. `api` (put there by the service) and the keys of `key:value` tags say nothing."""
    return stems(*(tag.partition(":")[2] or tag for tag in tags if tag != "api"))


def _tokens(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text))]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            root = word.removesuffix(ending)
            if ending == "ies":
                return root + "y"
            return root[:-1] if ending in {"ing", "ed"} and root[-1] == root[-2] else root.removesuffix("e")
    return word.removesuffix("e") if len(word) > 3 else word


def _accepted(token: str) -> Mapping[str, float]:
    accepted = {
        _stem(other): _SYNONYM_QUALITY
        for group in _GROUPS
        if token in group or _stem(token) in group
        for other in group
    }
    return {**accepted, _stem(token): 1.0}
