"""What the Python programs share: the click ids of shop.sql, and how a case is tried and reported."""

import itertools
import sys

A = "0::12345::a::::1405418672"
B = "0::12345::b::::1405418672"

CASES = [
    "insert", "read", "=", "in", "any", "join", "array", "prepared",
    "binary", "copy", "binary copy", "get", "filter", "callback",
]

numbers = itertools.count(1)


def fresh():
    """A click id that is in no table yet."""
    return f"0::12345::fresh{next(numbers)}::::1405418672"


def same(found, expected):
    """Fails unless a value is exactly the expected one, its type included."""
    assert type(found) is type(expected) and found == expected, f"{found!r} is not {expected!r}"


def report(version, cases, connect=lambda: None):
    """Tries each case as it is, then with what it may need, and prints a line for it.

    `cases` has a function for each case, or a dictionary of them by what they need, "" first.
    `connect` is called before each of them: what one tells its connection is unknown to the next.
    """
    print(f"version\t{version}")
    for case in CASES:
        ways = cases.get(case, {})
        print(f"{case}\t{outcome(case, ways if isinstance(ways, dict) else {'': ways}, connect)}")


def outcome(case, ways, connect):
    for need, way in ways.items():
        connect()
        try:
            way()
            return f"needs {need}" if need else "ok"
        except Exception as error:
            print(f"{case}, {need or 'as it is'}: {type(error).__name__}: {error}", file=sys.stderr)
    return "fails" if ways else "none"
