"""Queries written by hand, in text files: see ../README.md."""

import dataclasses
import pathlib
import re


@dataclasses.dataclass(frozen=True)
class Query:
    title: str
    data: tuple
    rule: str
    references: dict  # name of the engine -> its query
    tables: tuple = ()  # (name, key, query that makes it), for joins


def read(path: pathlib.Path) -> list:
    """The queries of a file. Raises ValueError with the line that is wrong."""
    found = []
    sections = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        marked = re.fullmatch(r"-- (test|data|table|rule|reference|sqlite|postgres)(?: (.*))?", line)
        if marked is None:
            if sections:
                sections[-1][2].append(line)
            elif line and not line.startswith("#"):
                raise ValueError(f"{path.name}:{number}: expected `-- test`")
            continue
        if marked[1] == "test" and sections:
            found.append(_query(path, sections))
            sections = []
        sections.append((marked[1], marked[2] or "", [], number))
    return found + ([_query(path, sections)] if sections else [])


def _query(path: pathlib.Path, sections: list) -> Query:
    where = f"{path.name}:{sections[0][3]}"
    names = [name for name, *_ in sections]
    text = {name: "\n".join(lines).strip() for name, _, lines, _ in sections}
    tables = tuple((*words.split(), "\n".join(lines).strip()) for name, words, lines, _ in sections if name == "table")
    others = [name for name in names if name != "table"]
    if others[:3] != ["test", "data", "rule"] or not others[3:] or len(set(others)) != len(others):
        raise ValueError(f"{where}: expected test, data, rule, then reference, or sqlite and postgres; there are {', '.join(names)}")
    both = text.get("reference")
    references = {"sqlite": both, "postgres": both} if both else {name: text[name] for name in others[3:]}
    if tables:
        made = "WITH " + ", ".join(f"{name} AS ({query})" for name, _, query in tables)
        references = {name: f"{made} {query}" for name, query in references.items()}
    return Query(sections[0][1], tuple(sections[1][1].split()), text["rule"], references, tables)
