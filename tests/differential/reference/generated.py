"""Queries made at random, the same at each run: expressions over the columns of a table, with an alias in WHERE now and then."""

import dataclasses
import random

from .data import Table
from .productions import PRODUCTIONS

KINDS = ("whole", "real", "text", "flag")
TYPES = {"whole": "bigint", "real": "float8", "text": "text", "flag": "int::boolean"}
DEPTH_MAX = 4
DRAWS_MAX = 20


@dataclasses.dataclass(frozen=True)
class Text:
    """One expression or query in all dialects; None where a dialect has no equal."""

    ours: str
    sqlite: str | None
    postgres: str | None


class Generator:
    """Queries over one table. `tells(sqlite_query)` says whether the rows of a query can tell something: many queries are thrown away whose
    condition is never true, or whose columns are NULL or the same throughout."""

    def __init__(self, table: Table, seed: str, tells):
        self._table = table
        self._tells = tells
        self._random = random.Random(seed)
        self._by_kind = {kind: [p for p in PRODUCTIONS if p.gives == kind] for kind in KINDS}

    def query(self) -> Text:
        for _ in range(DRAWS_MAX):
            text = self._draw()
            if text.sqlite is not None and self._tells(text.sqlite):
                break
        return text

    def _draw(self) -> Text:
        items = [("n", Text("n", "n", "n"))]
        for name in "abc"[: self._random.randint(1, 3)]:
            kind = self._random.choice(KINDS)
            items.append((name, self.expression(kind, self._random.randint(1, DEPTH_MAX))))
        condition, by_alias = self._condition(items)
        return Text(*(self._assemble(dialect, items, condition, by_alias) for dialect in ("ours", "sqlite", "postgres")))

    def _condition(self, items: list) -> tuple:
        """A condition, and the same with the name of an item in the item's place: only our dialect knows names there."""
        choice = self._random.random()
        if choice < 0.4:
            return None, None
        if choice < 0.7:
            condition = self.expression("flag", 3)
            return condition, condition.ours
        name, item = self._random.choice(items)
        return Text(*(None if text is None else f"({text} IS NOT NULL)" for text in dataclasses.astuple(item))), f"{name} IS NOT NULL"

    @staticmethod
    def _assemble(dialect: str, items: list, condition: Text | None, by_alias: str | None) -> str | None:
        texts = [(name, getattr(item, dialect)) for name, item in items]
        where = getattr(condition, dialect) if condition else ""
        if where is None or any(text is None for _, text in texts):
            return None
        columns = ", ".join(text if text == name else f"{text} AS {name}" for name, text in texts)
        if dialect == "ours":
            return f"SELECT {columns} FROM 't'" + (f" WHERE {by_alias}" if by_alias else "")
        return f"SELECT {columns} FROM t" + (f" WHERE {where}" if where else "") + " ORDER BY n"

    def expression(self, kind: str, depth: int) -> Text:
        if kind == "number":
            kind = self._random.choice(["whole", "real"])
        if depth == 0 or (kind != "flag" and self._random.random() < 0.15):
            return self._leaf(kind)
        production = self._random.choice(self._by_kind[kind])
        operands = [self._operand(kind, depth - 1) for kind in production.takes]
        dialects = {}
        for dialect in ("ours", "sqlite", "postgres"):
            template = getattr(production, dialect)
            template = production.ours if template == "" else template
            parts = [getattr(operand, dialect) for operand in operands]
            dialects[dialect] = None if template is None or None in parts else template.format(*parts)
        return Text(**dialects)

    def _operand(self, kind: str, depth: int) -> Text:
        if not kind.startswith("="):
            return self.expression(kind, depth)
        literal = self._random.choice(kind[1:].split("|"))
        return Text(literal, literal, literal)

    def _leaf(self, kind: str) -> Text:
        """A column, a value that stands in one, or a column that no reading has."""
        choice = self._random.random()
        if choice < 0.08:
            return Text("absent", "absent", f"absent::{TYPES[kind]}")
        if kind == "flag":
            left, right = self._leaf("whole"), self._leaf("whole")
            return Text(*(f"({a} > {b})" for a, b in zip(dataclasses.astuple(left), dataclasses.astuple(right))))
        places = [i for i, known in enumerate(self._table.kinds) if known == kind]
        if not places:
            literal = {"whole": "3", "real": "0.5", "text": "'M1'"}[kind]
            return Text(literal, literal, literal)
        place = self._random.choice(places)
        if choice < 0.75:
            column = self._table.columns[place]
            quoted = column if column.isidentifier() and column.islower() else f'"{column}"'
            return Text(quoted, quoted, quoted)
        value = self._random.choice(self._table.rows)[place]
        if isinstance(value, (int, float)):
            literal = repr(value) if value >= 0 else f"({value!r})"
            return Text(literal, literal, f"{literal}::{'bigint' if kind == 'whole' else 'float8'}")
        literal = "NULL" if value is None else "'" + value.replace("'", "''") + "'"
        return Text(literal, literal, literal)
