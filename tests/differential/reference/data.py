"""The data that queries run over: parts of the files of ../shared/data, as `sluice rule test` reads them."""

import csv
import dataclasses
import datetime
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("SLUICE_SHARED", ROOT.parent / "shared"))

# What the CSV reader of `rule test` takes for a number; in these files none is too large for a 64-bit float.
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+")


@dataclasses.dataclass(frozen=True)
class Data:
    """Rows `first` (from 1) and those behind it, `count` of them. `time` is the column that column ts is made from: a date with a time of
    day, taken as UTC, or a number of seconds. `delimiter` is the file's."""

    file: str
    first: int = 1
    count: int = 1_000_000
    time: str = ""
    delimiter: str = ","


NAB = {"time": "timestamp"}
SKAB = {"time": "datetime", "delimiter": ";"}

DATA = {
    "machine": Data("nab/realKnownCause/machine_temperature_system_failure.csv", first=9601, count=1000, **NAB),  # the clock goes back once
    "disk": Data("nab/realAWSCloudwatch/ec2_disk_write_bytes_1ef3de.csv", first=1801, count=900, **NAB),  # the clock goes back an hour
    "network": Data("nab/realAWSCloudwatch/ec2_network_in_257a54.csv", count=800, **NAB),
    "speed": Data("nab/realTraffic/speed_t4013.csv", count=1000, **NAB),  # whole numbers, gaps, one time twice
    "travel": Data("nab/realTraffic/TravelTime_387.csv", count=900, **NAB),  # whole numbers, gaps of days
    "occupancy": Data("nab/realTraffic/occupancy_6005.csv", count=800, **NAB),
    "spikes": Data("nab/artificialWithAnomaly/art_increase_spike_density.csv", count=900, **NAB),  # two levels
    "flat": Data("nab/artificialNoAnomaly/art_flatline.csv", count=500, **NAB),
    "valve": Data("skab/valve1/0.csv", first=401, **SKAB),
    "rotor": Data("skab/other/9.csv", count=600, **SKAB),
    "machining": Data("ai4i/ai4i_a.csv", count=1200),
    "bearing": Data("femto/bearing1_1_features.csv", first=1501, time="seconds"),  # a wrong clock, back by 52 s
    "wear": Data("femto/bearing3_1_features.csv", time="seconds"),
    "inner_race": Data("cwru/inner_007_1797.csv", count=2000),
    "healthy": Data("cwru/normal_1797.csv", count=1000),
}


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns: n, the number of the row from 1; ts, milliseconds since 1970, where the data has a time; then the file's own.
    `kinds` has 'whole', 'real' or 'text' for each. NULL is None."""

    columns: list
    kinds: list
    rows: list


def available() -> bool:
    return (SHARED / "data" / "README.md").exists()


def load(name: str, csv_file: pathlib.Path) -> Table:
    """Reads the data and writes the same rows, with n and ts, to a CSV file for `rule test`: fields as they stand in the source."""
    data = DATA[name]
    with open(SHARED / "data" / data.file, newline="", encoding="utf-8") as file:
        lines = csv.reader(file, delimiter=data.delimiter)
        header = next(lines)
        source = [line for line in lines if line][data.first - 1 : data.first - 1 + data.count]
    columns = ["n"] + (["ts"] if data.time else []) + header
    rows = []
    for number, line in enumerate(source, start=1):
        time = [str(milliseconds(line[header.index(data.time)]))] if data.time else []
        rows.append([str(number), *time, *line])
    with open(csv_file, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])
    values = [[value_of(field) for field in row] for row in rows]
    kinds = [kind_of([row[i] for row in values]) for i in range(len(columns))]
    return Table(columns, kinds, values)


def milliseconds(text: str) -> int:
    if NUMBER.fullmatch(text):
        return round(float(text) * 1000)
    return round(datetime.datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def value_of(field: str):
    if not field:
        return None
    if WHOLE.fullmatch(field):
        return int(field)
    return float(field) if NUMBER.fullmatch(field) else field


def kind_of(values: list) -> str:
    if all(value is None or isinstance(value, int) for value in values):
        return "whole"
    return "real" if all(value is None or isinstance(value, (int, float)) for value in values) else "text"
