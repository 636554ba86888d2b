"""Words of generated tables, and other words for those that headers are made of. Ours, under the project's licence."""

from __future__ import annotations

CITIES = {
    "Vienna": "Austria", "Graz": "Austria", "Linz": "Austria", "Brussels": "Belgium", "Ghent": "Belgium",
    "Santiago": "Chile", "Valparaiso": "Chile", "Copenhagen": "Denmark", "Aarhus": "Denmark", "Tallinn": "Estonia",
    "Paris": "France", "Lyon": "France", "Nantes": "France", "Berlin": "Germany", "Hamburg": "Germany",
    "Munich": "Germany", "Budapest": "Hungary", "Rome": "Italy", "Milan": "Italy", "Turin": "Italy",
    "Tokyo": "Japan", "Osaka": "Japan", "Kyoto": "Japan", "Nairobi": "Kenya", "Mombasa": "Kenya", "Riga": "Latvia",
    "Oslo": "Norway", "Bergen": "Norway", "Lima": "Peru", "Cusco": "Peru", "Madrid": "Spain", "Seville": "Spain",
}  # fmt: skip
PRODUCTS = {
    "Desk lamp": "Lighting", "Floor lamp": "Lighting", "Lantern": "Lighting", "Oak table": "Furniture",
    "Bookshelf": "Furniture", "Armchair": "Furniture", "Wardrobe": "Furniture", "Kettle": "Kitchen",
    "Toaster": "Kitchen", "Frying pan": "Kitchen", "Tea set": "Kitchen", "Garden hose": "Garden", "Spade": "Garden",
    "Rake": "Garden", "Bird house": "Garden", "Road bike": "Sports", "Tent": "Sports", "Climbing rope": "Sports",
    "Headphones": "Audio", "Loudspeaker": "Audio", "Turntable": "Audio", "Notebook": "Paper", "Envelope": "Paper",
}  # fmt: skip
DEPARTMENTS = {
    "Sales": "North wing", "Marketing": "North wing", "Finance": "Tower", "Legal": "Tower", "Research": "Laboratory",
    "Development": "Laboratory", "Support": "South wing", "Logistics": "Warehouse", "Purchasing": "Warehouse",
}  # fmt: skip
FIRST = (
    *("Ada", "Bruno", "Carla", "David", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Klara", "Louis"),
    *("Marta", "Nils", "Olga", "Pablo", "Rosa", "Stefan", "Teresa", "Viktor", "Wanda", "Yusuf", "Zoe", "Amir"),
)
LAST = (
    *("Becker", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Hansen", "Ito", "Jansen", "Kovacs", "Lindgren"),
    *("Moreau", "Novak", "Okafor", "Peters", "Rossi", "Sato", "Tanaka", "Urban", "Vidal", "Weber", "Yilmaz"),
)
SPECIES = {
    "Red fox": "Mammal", "Badger": "Mammal", "Hedgehog": "Mammal", "Otter": "Mammal", "Barn owl": "Bird",
    "Kingfisher": "Bird", "Robin": "Bird", "Grey heron": "Bird", "Grass snake": "Reptile", "Sand lizard": "Reptile",
    "Common frog": "Amphibian", "Fire salamander": "Amphibian", "Brown trout": "Fish", "Northern pike": "Fish",
}  # fmt: skip

SYNONYMS = {
    "name": "designation", "title": "heading", "id": "identifier", "code": "symbol", "country": "nation",
    "city": "town", "town": "city", "state": "province", "region": "area", "county": "district", "date": "day",
    "time": "hour", "year": "annum", "month": "calendar month", "price": "cost", "cost": "price", "amount": "sum",
    "total": "sum", "number": "count", "count": "number", "quantity": "amount", "type": "kind", "kind": "type",
    "category": "class", "class": "category", "group": "set", "description": "explanation", "note": "remark",
    "address": "location", "location": "place", "place": "location", "customer": "client", "client": "customer",
    "employee": "worker", "person": "individual", "department": "division", "company": "firm", "product": "article",
    "item": "article", "order": "purchase", "value": "worth", "rate": "ratio", "score": "mark", "rank": "position",
    "population": "inhabitants", "size": "extent", "length": "extent", "height": "elevation", "elevation": "altitude",
    "weight": "mass", "mass": "weight", "speed": "velocity", "distance": "range", "start": "begin", "end": "finish",
    "first": "initial", "last": "final", "status": "condition", "phone": "telephone", "email": "electronic mail",
    "language": "tongue", "currency": "money", "capital": "chief city", "continent": "landmass", "airport": "airfield",
    "origin": "source", "destination": "target", "film": "movie", "movie": "film", "director": "film maker",
    "author": "writer", "artist": "performer", "team": "squad", "player": "athlete", "sport": "discipline",
    "school": "college", "species": "biological species", "color": "hue", "sex": "gender", "gender": "sex",
    "age": "years of life", "birth": "nativity", "income": "earnings", "salary": "wage", "income group": "wealth band",
    "latitude": "north-south position", "longitude": "east-west position", "zone": "area", "timezone": "time area",
    "symbol": "sign", "element": "substance", "label": "tag", "url": "web address", "area": "surface",
    "manager": "head", "owner": "holder", "unit": "measure", "version": "release", "reference": "citation",
    "building": "edifice", "supplier": "vendor", "habitat": "living space", "observer": "watcher",
}  # fmt: skip
