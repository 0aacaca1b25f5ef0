"""Queries with a window made at random, and their equals in PostgreSQL: aggregates of generated expressions, by groups, over all forms of
windows, by event time with readings out of order and some too late."""

import dataclasses
import math
import random

from .data import Table
from .generated import Generator, Text

# An aggregate -> its equal over the rows of a window, which have n (arrival) and at (time).
AGGREGATES = {
    "count({x})": "count({x})",
    "sum({x})": "sum({x})",
    "avg({x})": "avg({x})",
    "min({x})": "min({x})",
    "max({x})": "max({x})",
    "var({x})": "var_pop({x})",
    "stddevs({x})": "stddev_samp({x})",
    "median({x})": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {x})",
    "percentile({x}, 0.9)": "percentile_cont(0.9) WITHIN GROUP (ORDER BY {x})",
    "first({x})": "(array_agg({x} ORDER BY at, n) FILTER (WHERE {x} IS NOT NULL))[1]",
    "last({x})": "(array_agg({x} ORDER BY at DESC, n DESC) FILTER (WHERE {x} IS NOT NULL))[1]",
}


@dataclasses.dataclass
class Parts:
    """What a query is made of. `values` are the expressions that aggregates have as arguments, x0 and x1; `event` is the time of a reading;
    `aggregates` are (name of the column, ours, the reference's, which value)."""

    values: list
    key: str | None
    where: str | None
    form: str
    length: int
    hop: int
    lateness: int
    event: str
    aggregates: list
    having: bool


def query(table: Table, seed: str) -> Text:
    """A query for a table with a column ts."""
    draw = random.Random(seed)
    measured = [i for i, (name, kind) in enumerate(zip(table.columns, table.kinds)) if name not in ("n", "ts") and kind != "text"]
    columns, kinds, *rows = ([values[i] for i in measured] for values in (table.columns, table.kinds, *table.rows))
    expressions = Generator(Table(columns, kinds, rows), seed, lambda sqlite: True)
    form = draw.choice(list(FORMS))
    step = median_step(table)
    counted = form in COUNTED
    length = draw.randint(2, 30) if counted else step * draw.choice([3, 7, 10, 24])
    delay = draw.choice(["0", f"n * n % 11 * {step}", f"n * 7 % 5 * {step}"])
    parts = Parts(
        values=[value(expressions, draw) for _ in range(2)],
        key=draw.choice([None, "n % 3", "nullif(n * n % 5, 4)"]),
        where=draw.choice([None, None, "n * n % 7 < 4", "n % 10 < 8"]),
        form=form,
        length=length,
        hop=min(length, draw.randint(1, 9) if counted else step * draw.choice([2, 3, 5])),
        lateness=step * (24 if form == "session" else draw.choice([0, 1, 4, 9])),  # of sessions: see _session
        event="n" if counted else f"ts - {delay}",
        aggregates=[(f"a{i}", *draw.choice(list(AGGREGATES.items())), draw.randrange(2)) for i in range(draw.randint(1, 4))],
        having=draw.random() < 0.3,
    )
    return Text(ours(parts), None, postgres(parts))


def value(expressions: Generator, draw: random.Random) -> Text:
    """Floats only: there a sum of whole numbers is of another type."""
    while True:
        text = expressions.expression("real", draw.randint(0, 2))
        if text.postgres is not None:
            return text


def median_step(table: Table) -> int:
    times = sorted(row[table.columns.index("ts")] for row in table.rows)
    steps = sorted(b - a for a, b in zip(times, times[1:]) if b > a)
    return steps[len(steps) // 2]


def ours(parts: Parts) -> str:
    length, hop = parts.length, parts.hop
    window = {"count": f"COUNTWINDOW({length})", "hopping_count": f"COUNTWINDOW({length}, {hop})",
              "tumbling": f"TUMBLINGWINDOW(ms, {length})", "hopping": f"HOPPINGWINDOW(ms, {length}, {hop})",
              "sliding": f"SLIDINGWINDOW(ms, {length})", "session": f"SESSIONWINDOW(ms, {365 * 86_400_000}, {hop})"}[parts.form]
    columns = [f"{parts.key} AS k"] if parts.key else []
    columns += ["count(*) AS c"] if parts.form in COUNTED else ["window_end() AS we", "count(*) AS c"]
    columns += [f"{text.format(x=parts.values[x].ours)} AS {name}" for name, text, _, x in parts.aggregates]
    return " ".join(filter(None, [
        f"SELECT {', '.join(columns)} FROM 't'",
        f"WHERE {parts.where}" if parts.where else "",
        f"GROUP BY {', '.join(filter(None, [parts.key, window]))}",
        "HAVING c > 2" if parts.having else "",
        "" if parts.form in COUNTED else f"WITH (timestamp = {parts.event}, lateness = '{parts.lateness}ms')",
    ]))


def postgres(parts: Parts) -> str:
    # All readings (e) move the watermark; windows take those that WHERE lets through (w).
    values = ", ".join(f"({item.postgres})::float8 AS x{i}" for i, item in enumerate(parts.values))
    steps = [
        f"e AS (SELECT *, max(at) OVER (ORDER BY n) - {parts.lateness} AS wm FROM "
        f"(SELECT n, {parts.event} AS at, {parts.key or 'NULL::int'} AS k, {values} FROM t) AS s)",
        "w AS (SELECT *, row_number() OVER (PARTITION BY k ORDER BY n) AS i, min(n) OVER (PARTITION BY k) AS key_came "
        f"FROM e WHERE {parts.where or 'true'})",
    ]
    # Each form makes rows m of them: a row of w, with the window that it belongs to (id, and its end we).
    members, order, full = FORMS[parts.form](parts.length, parts.hop)
    columns = ["k"] if parts.key else []
    columns += ["count(*) AS c"] if parts.form in COUNTED else ["we", "count(*) AS c"]
    columns += [f"{text.format(x=f'x{x}')} AS {name}" for name, _, text, x in parts.aggregates]
    conditions = " AND ".join(filter(None, [full, "count(*) > 2" if parts.having else ""]))
    return (f"WITH {', '.join([*steps, members])} SELECT {', '.join(columns)} FROM m GROUP BY k, id, we"
            + (f" HAVING {conditions}" if conditions else "") + f" ORDER BY {order}")


# A form of window gives its step of the query, the order of the output, and when a window is full.


def _count(length: int, hop: int) -> tuple:
    return f"m AS (SELECT *, (i - 1) / {length} AS id, 0 AS we FROM w)", "max(n)", f"count(*) = {length}"


def _hopping_count(length: int, hop: int) -> tuple:
    return (f"m AS (SELECT w.*, o.i AS id, 0 AS we FROM w JOIN w AS o ON o.k IS NOT DISTINCT FROM w.k "
            f"AND w.i > o.i - {length} AND w.i <= o.i WHERE o.i >= {length} AND (o.i - {length}) % {hop} = 0)"), "max(n)", ""


def _hopping(length: int, hop: int) -> tuple:
    first = length // hop * hop
    begins = f"(floor(at / {hop}.0) * {hop})::bigint"
    # Groups go out by their first slice, and in it by their first reading.
    pane = f"floor(at / {math.gcd(length, hop)}.0)"
    return (f"m AS (SELECT w.*, ws AS id, ws + {length} AS we FROM w, generate_series({begins} - {first}, {begins}, {hop}) AS ws "
            f"WHERE ws + {length} > at AND ws + {length} > wm)"), f"we, min({pane}), (array_agg(n ORDER BY {pane}, n))[1]", ""


def _tumbling(length: int, hop: int) -> tuple:
    return _hopping(length, length)


def _sliding(length: int, hop: int) -> tuple:
    # out_at: the reading that takes the watermark to this one's time.
    return ("o AS (SELECT *, coalesce((SELECT min(e.n) FROM e WHERE e.n >= w.n AND e.wm >= w.at), 1000000) AS out_at "
            "FROM w WHERE at >= wm), "
            "m AS (SELECT o.k, o.n AS id, o.at AS we, o.out_at, o.key_came, u.n, u.at, u.x0, u.x1 FROM o JOIN o AS u "
            f"ON u.k IS NOT DISTINCT FROM o.k AND u.n <= o.out_at AND u.at > o.at - {length} AND u.at <= o.at)",
            "min(out_at), we, min(key_came), id", "")


def _session(length: int, hop: int) -> tuple:
    # Only for data in which nothing comes behind the watermark: it might fill the gap behind a session that has ended already.
    return (f"b AS (SELECT *, CASE WHEN at - lag(at) OVER p < {hop} THEN 0 ELSE 1 END AS begins FROM w "
            "WINDOW p AS (PARTITION BY k ORDER BY at, n)), "
            "g AS (SELECT *, sum(begins) OVER (PARTITION BY k ORDER BY at, n) AS id FROM b), "
            f"m AS (SELECT *, max(at) OVER (PARTITION BY k, id) + {hop} AS we FROM g)", "we, min(key_came)", "")


COUNTED = ("count", "hopping_count")
FORMS = {"count": _count, "hopping_count": _hopping_count, "tumbling": _tumbling, "hopping": _hopping, "sliding": _sliding,
         "session": _session}
