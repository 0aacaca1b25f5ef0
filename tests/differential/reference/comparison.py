"""Are the rows of two engines the same?"""

import math

RELATIVE = 1e-9
# For what is zero but for rounding, such as the variance of equal values: far below the resolution of any column of the data.
ABSOLUTE = 1e-12


def difference(ours: list, theirs: list, truth_is_number: bool) -> str:
    """What is different first; empty if nothing is. `truth_is_number`: the other engine writes 1 and 0 for true and false."""
    for number, (our, their) in enumerate(zip(ours, theirs), start=1):
        if list(our) != list(their):
            return f"row {number}: columns {list(our)}, the reference has {list(their)}"
        for column, value in our.items():
            other = their[column]
            if isinstance(value, bool) and truth_is_number and other in (0, 1):
                other = bool(other)
            if not same(value, other):
                return f"row {number}, column {column}: {value!r}, the reference has {their[column]!r}\n  ours: {our}\n  reference: {their}"
    if len(ours) != len(theirs):
        more, whose = (ours, "ours") if len(ours) > len(theirs) else (theirs, "the reference's")
        return f"{len(ours)} rows, the reference has {len(theirs)}; the first too many is {whose}: {more[min(len(ours), len(theirs))]}"
    return ""


def same(a, b) -> bool:
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return type(a) is type(b) and a == b
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
