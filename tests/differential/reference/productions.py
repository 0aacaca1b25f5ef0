"""What generated expressions are made of, in three dialects: this table is the whole translation."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Production:
    """Text with places {0}, {1}, … for operands of the given kinds: whole, real, number (either of them), text, flag (a condition). An
    operand `=…` is a literal: one of the choices behind the sign, divided by |. A dialect that is None has no equal: such queries are not
    compared with it. Where it is "", it reads as ours."""

    gives: str
    takes: tuple
    ours: str
    sqlite: str | None = ""
    postgres: str | None = ""


def _p(gives: str, takes: str, ours: str, **dialects) -> Production:
    return Production(gives, tuple(takes.split()), ours, **dialects)


# Numbers between which rounding, cut to places, or a float's text differ between engines do not come up in the data; see README.md.
PRODUCTIONS = [
    # Arithmetic. Whole numbers stay small: other engines stop at 2^63, ours goes on with floats.
    _p("whole", "whole whole", "({0} + {1})"),
    _p("whole", "whole whole", "({0} - {1})"),
    _p("whole", "whole =2|3|-7|10", "({0} * {1})"),
    _p("whole", "whole whole", "({0} % {1})", postgres="({0} % nullif({1}, 0))"),
    _p("whole", "whole whole", "mod({0}, {1})", sqlite="({0} % {1})", postgres="mod({0}, nullif({1}, 0))"),
    _p("whole", "whole", "(-{0})"),
    _p("whole", "whole", "abs({0})"),
    _p("real", "real number", "({0} + {1})"),
    _p("real", "number real", "({0} - {1})"),
    _p("real", "real number", "({0} * {1})"),
    _p("real", "number number", "({0} / {1})", sqlite="(CAST({0} AS REAL) / {1})", postgres="({0} / nullif({1}, 0)::float8)"),
    _p("real", "real =2.5|0.75|7", "({0} % {1})", sqlite="mod({0}, {1})", postgres=None),
    _p("real", "real", "(-{0})"),
    _p("real", "real", "abs({0})"),
    # Mathematics.
    _p("real", "real", "ceil({0})"),
    _p("real", "real", "floor({0})"),
    _p("real", "real", "trunc({0})"),
    _p("real", "real", "round({0})", postgres="(sign({0}) * floor(abs({0}) + 0.5))"),
    _p("real", "real", "round({0}, 2)", postgres="round(({0})::numeric, 2)::double precision"),
    _p("real", "real", "trunc({0}, 1)", sqlite=None, postgres="trunc(({0})::numeric, 1)::double precision"),
    _p("whole", "whole", "round({0})", sqlite="{0}", postgres="{0}"),
    _p("whole", "number", "sign({0})", postgres="sign({0})::bigint"),
    _p("real", "number", "sqrt({0})", postgres="(CASE WHEN {0} >= 0 THEN sqrt({0}::float8) END)"),
    _p("real", "number", "ln({0})", postgres="(CASE WHEN {0} > 0 THEN ln({0}::float8) END)"),
    _p("real", "number", "log10({0})", postgres="(CASE WHEN {0} > 0 THEN log10({0}::float8) END)"),
    _p("real", "number", "sin({0})", postgres="sin({0}::float8)"),
    _p("real", "number", "cos({0})", postgres="cos({0}::float8)"),
    _p("real", "number", "exp(sin({0}))", postgres="exp(sin({0}::float8))"),
    _p("real", "number number", "atan2({0}, {1})", postgres="atan2({0}::float8, {1}::float8)"),
    _p("real", "number =2|0.5|3", "power(abs({0}), {1})", postgres="power(abs({0}::float8), {1})"),
    # What is NULL.
    _p("real", "real real", "coalesce({0}, {1})"),
    _p("whole", "whole whole", "ifnull({0}, {1})", postgres="coalesce({0}, {1})"),
    _p("text", "text text", "coalesce({0}, {1})"),
    _p("real", "real real", "nullif({0}, {1})"),
    _p("whole", "whole whole", "nullif({0}, {1})"),
    _p("text", "text text", "nullif({0}, {1})"),
    _p("real", "real real", "greatest({0}, {1})", sqlite="max(coalesce({0}, {1}), coalesce({1}, {0}))"),
    _p("real", "real real", "least({0}, {1})", sqlite="min(coalesce({0}, {1}), coalesce({1}, {0}))"),
    _p("text", "text text", "greatest({0}, {1})", sqlite="max(coalesce({0}, {1}), coalesce({1}, {0}))"),
    # Conditions.
    *[_p("flag", f"{kind} {kind}", f"({{0}} {sign} {{1}})") for kind in ("number", "text") for sign in ("<", "<=", ">", ">=", "=", "<>")],
    _p("flag", "number number", "({0} != {1})"),
    _p("flag", "flag flag", "({0} AND {1})"),
    _p("flag", "flag flag", "({0} OR {1})"),
    _p("flag", "flag", "(NOT {0})"),
    _p("flag", "flag flag", "({0} = {1})"),
    _p("flag", "number number number", "({0} BETWEEN {1} AND {2})"),
    _p("flag", "number number number", "({0} NOT BETWEEN {1} AND {2})"),
    _p("flag", "text text text", "({0} BETWEEN {1} AND {2})"),
    _p("flag", "number number number number", "({0} IN ({1}, {2}, {3}))"),
    _p("flag", "number number number", "({0} NOT IN ({1}, {2}))"),
    _p("flag", "text text text", "({0} IN ({1}, {2}))"),
    _p("flag", "text =NULL|'0' text", "({0} NOT IN ({1}, {2}))"),
    _p("flag", "number", "({0} IS NULL)"),
    _p("flag", "text", "({0} IS NOT NULL)"),
    _p("flag", "flag", "({0} IS NULL)"),
    _p("flag", "text ='%1%'|'_%0'|'M%'|'L'|'%:3_:%'|'2%0'|'%'", "({0} LIKE {1})"),
    _p("flag", "text ='%2%'|'____'|'m%'|'%!%%'|''", "({0} NOT LIKE {1} ESCAPE '!')"),
    # Text against number has no answer in our dialect; SQLite puts all numbers before all texts, PostgreSQL refuses.
    _p("flag", "text number", "({0} < {1})", sqlite="NULL", postgres="NULL::boolean"),
    _p("flag", "number text", "({0} = {1})", sqlite="NULL", postgres="NULL::boolean"),
    # CASE.
    _p("real", "flag real real", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    _p("whole", "flag whole flag whole", "CASE WHEN {0} THEN {1} WHEN {2} THEN {3} END"),
    _p("text", "flag text", "CASE WHEN {0} THEN {1} ELSE 'other' END"),
    _p("real", "whole whole real whole real", "CASE {0} WHEN {1} THEN {2} WHEN {3} THEN {4} END"),
    _p("text", "text text text text", "CASE {0} WHEN {1} THEN {2} ELSE {3} END"),
    _p("flag", "flag flag flag", "CASE WHEN {0} THEN {1} ELSE {2} END"),
    # Text.
    _p("text", "text text", "({0} || {1})"),
    _p("text", "text whole", "({0} || {1})"),
    _p("text", "text whole text", "concat({0}, {1}, {2})", sqlite="(coalesce({0}, '') || coalesce({1}, '') || coalesce({2}, ''))"),
    _p("text", "text", "upper({0})"),
    _p("text", "text", "lower({0})"),
    _p("text", "text", "trim(' ' || {0} || '  ')"),
    _p("whole", "text", "length({0})"),
    _p("text", "text =1|2|5|40 =0|1|3|100", "substr({0}, {1}, {2})"),
    _p("text", "text =1|3|12", "substr({0}, {1})"),
    _p("text", "text ='1'|'0:'|'M'|'zz' ='-'|''|'11'", "replace({0}, {1}, {2})"),
    # CAST.
    _p("whole", "real", "CAST({0} AS integer)", postgres="trunc({0})::bigint"),
    _p("real", "whole", "CAST({0} AS double)", sqlite="CAST({0} AS REAL)", postgres="{0}::float8"),
    _p("text", "whole", "CAST({0} AS text)", postgres="{0}::text"),
    _p("text", "real", "CAST(round({0}) % 1000 AS text)", sqlite=None,
       postgres="((sign({0}) * floor(abs({0}) + 0.5))::numeric % 1000)::float8::text"),
    _p("whole", "text", "CAST(length({0}) || '7' AS integer)", postgres="(length({0}) || '7')::bigint"),
    _p("whole", "flag", "CAST({0} AS integer)", postgres="{0}::int::bigint"),
    _p("flag", "number", "CAST({0} AS boolean)", sqlite="({0} <> 0)", postgres="({0} <> 0)"),
    _p("text", "flag", "CAST({0} AS text)", sqlite="CASE WHEN {0} THEN 'true' WHEN NOT {0} THEN 'false' END", postgres="{0}::text"),
]
