"""The search of the site finds English and Chinese words in one index."""

from __future__ import annotations

import re
from itertools import pairwise

from sphinx.search.en import SearchEnglish

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+")


class EnglishAndChinese(SearchEnglish):
    """English words, and each pair of neighbours in Chinese text, which has no spaces between words.

    The index and a query are divided alike, so a query of several characters finds the pages that have all of its pairs.
    """

    lang = "en-zh"
    js_splitter_code = rf"""
var splitQuery = (query) =>
  (query.match(/[{_CHINESE}]+|(?:(?![{_CHINESE}])[\p{{Letter}}\p{{Number}}_])+/gu) || []).flatMap((word) =>
    /^[{_CHINESE}]{{2,}}/u.test(word)
      ? Array.from(word).slice(1).map((character, index) => word[index] + character)
      : [word]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002 - Sphinx's name
        """The terms of a text, in its order."""
        return [term for word in _WORD.findall(input) for term in _terms(word)]


def _terms(word: str) -> list[str]:
    if not re.match(f"[{_CHINESE}]", word):
        return [word]
    return [first + second for first, second in pairwise(word)] or [word]
