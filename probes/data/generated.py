"""Generated tables: dependencies, entities and types are planted, so the truth is known; the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from ..tables import Table
from .dataset import Dataset, Place
from .words import CITIES, DEPARTMENTS, FIRST, LAST, PRODUCTS, SPECIES

Maker = Callable[[random.Random, int], "list[tuple[str, str, list[str]]]"]
"""(header, semantic type or nothing, cells) of each column."""
LICENCE = "generated, under the project's licence"


def generate(count: int = 24, rows: int = 24, seed: int = 7) -> Dataset:
    """So many tables of six kinds: orders, staff, stores, shipments, sightings, stock.

    >>> generate(2, 5).tables[0].header
    ('Order ID', 'Customer', 'City', 'Country', 'Product', 'Category', 'Amount')
    """
    tables: list[Table] = []
    types: dict[Place, str] = {}
    for i in range(count):
        kind, make = list(KINDS.items())[i % len(KINDS)]
        columns = make(random.Random(seed * 1000 + i), rows)  # noqa: S311 - made-up tables, no secret
        name = f"{kind}_{i // len(KINDS) + 1}"
        tables.append(Table(name, tuple(c[0] for c in columns), tuple(tuple(c[2]) for c in columns), kind))
        types |= {(name, place): kind for place, (_, kind, _) in enumerate(columns) if kind}
    return Dataset("generated", tuple(tables), LICENCE, types, "planted")


def number_columns(count: int = 96, rows: int = 24, seed: int = 7) -> list[tuple[Table, list[float], list[float]]]:
    """Tables of four number columns whose log10 of mean (0 to 6) and of spread are known: (table, means, spreads)."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(count // 4):
        means, spreads = rng.uniform(0, 6, 4), rng.uniform(-2, -0.3, 4)
        cells = [10**m * (1 + 10**s * rng.standard_normal(rows)) for m, s in zip(means, spreads, strict=True)]
        columns = tuple(tuple(f"{abs(value):.2f}" for value in column) for column in cells)
        names = ("reading", "level", "output", "measure")
        true = [float(np.log10(np.mean([float(cell) for cell in column]))) for column in columns]
        wide = [float(np.log10(np.std([float(cell) for cell in column]) + 1e-9)) for column in columns]
        made.append((Table(f"numbers_{i}", names, columns, "measurements"), true, wide))
    return made


def _person(rng: random.Random) -> str:
    return f"{rng.choice(FIRST)} {rng.choice(LAST)}"


def _some(rng: random.Random, words: dict[str, str], rows: int) -> list[str]:
    """Words drawn from a part of a list, so that each comes several times and tables share some."""
    part = rng.sample(list(words), max(3, min(len(words) * 2 // 3, rows // 3)))
    return [rng.choice(part) for _ in range(rows)]


def _money(rng: random.Random, rows: int, top: float) -> list[str]:
    return [f"{rng.uniform(1, top):.2f}" for _ in range(rows)]


def _day(rng: random.Random) -> str:
    return f"{rng.randint(2015, 2025)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _orders(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    city, product = _some(rng, CITIES, rows), _some(rng, PRODUCTS, rows)
    return [
        ("Order ID", "", [f"O-{rng.randint(10000, 99999)}" for _ in range(rows)]),
        ("Customer", "person", [_person(rng) for _ in range(rows)]),
        ("City", "city", city),
        ("Country", "country", [CITIES[name] for name in city]),
        ("Product", "product", product),
        ("Category", "category", [PRODUCTS[name] for name in product]),
        ("Amount", "", _money(rng, rows, 900)),
    ]


def _staff(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    department, city = _some(rng, DEPARTMENTS, rows), _some(rng, CITIES, rows)
    return [
        ("Employee", "person", [_person(rng) for _ in range(rows)]),
        ("Department", "department", department),
        ("Building", "building", [DEPARTMENTS[name] for name in department]),
        ("Home town", "city", city),
        ("Start date", "date", [_day(rng) for _ in range(rows)]),
        ("Salary", "", _money(rng, rows, 9000)),
    ]


def _stores(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    city = _some(rng, CITIES, rows)
    return [
        ("Town", "city", city),
        ("Nation", "country", [CITIES[name] for name in city]),
        ("Manager", "person", [_person(rng) for _ in range(rows)]),
        ("Best seller", "product", _some(rng, PRODUCTS, rows)),
        ("Floor area", "", [str(rng.randint(80, 4000)) for _ in range(rows)]),
    ]


def _shipments(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    origin, product = _some(rng, CITIES, rows), _some(rng, PRODUCTS, rows)
    return [
        ("Article", "product", product),
        ("Group", "category", [PRODUCTS[name] for name in product]),
        ("Origin", "city", origin),
        ("Origin country", "country", [CITIES[name] for name in origin]),
        ("Destination", "city", _some(rng, CITIES, rows)),
        ("Date", "date", [_day(rng) for _ in range(rows)]),
        ("Weight", "", _money(rng, rows, 60)),
    ]


def _sightings(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    animal, city = _some(rng, SPECIES, rows), _some(rng, CITIES, rows)
    return [
        ("Species", "species", animal),
        ("Class", "animal class", [SPECIES[name] for name in animal]),
        ("Observer", "person", [_person(rng) for _ in range(rows)]),
        ("Nearest city", "city", city),
        ("Country", "country", [CITIES[name] for name in city]),
        ("Day", "date", [_day(rng) for _ in range(rows)]),
        ("Count", "", [str(rng.randint(1, 40)) for _ in range(rows)]),
    ]


def _stock(rng: random.Random, rows: int) -> list[tuple[str, str, list[str]]]:
    product, department = _some(rng, PRODUCTS, rows), _some(rng, DEPARTMENTS, rows)
    return [
        ("Item", "product", product),
        ("Type", "category", [PRODUCTS[name] for name in product]),
        ("Ordered by", "department", department),
        ("Building", "building", [DEPARTMENTS[name] for name in department]),
        ("Supplier", "person", [_person(rng) for _ in range(rows)]),
        ("Quantity", "", [str(rng.randint(0, 500)) for _ in range(rows)]),
    ]


KINDS: dict[str, Maker] = {
    "orders": _orders,
    "staff": _staff,
    "stores": _stores,
    "shipments": _shipments,
    "sightings": _sightings,
    "stock": _stock,
}
