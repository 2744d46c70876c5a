"""What a random part says about the whole."""

from __future__ import annotations

from math import ceil, exp, fsum, lgamma, log, log1p

CONFIDENCE = 0.95
_STEPS = 60


def most_of_all(found: int, drawn: int, all_: int, *, confidence: float = CONFIDENCE) -> int:
    """The fewest objects of which one can say that no more of all differ, when `found` of `drawn` do.

    It is the one-sided bound of Clopper and Pearson, which is exact for draws with replacement and never too small for draws without; for
    none found it is about 3 / drawn, the rule of three.
    """
    if drawn >= all_:
        return found
    if found >= drawn:
        return all_
    low, high = found / drawn, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _at_most(found, drawn, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return min(all_, ceil(high * all_))


def _at_most(found: int, drawn: int, share: float) -> float:
    """How likely it is to find no more than that many in a draw, where that share of all differs."""
    if share >= 1:
        return 0.0
    each, other = log(share), log1p(-share)
    return fsum(
        exp(
            lgamma(drawn + 1) - lgamma(number + 1) - lgamma(drawn - number + 1)
            + number * each + (drawn - number) * other
        )
        for number in range(found + 1)
    )  # fmt: skip
