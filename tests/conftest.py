"""Fixtures of all tests: an encoder without weights, a tiny lake whose joins are known, a home."""

import json
import sys

import pytest
from hypothesis import settings

import tablelens.cli.check
import tablelens.open_home
import tablelens.pipeline.crawl
from tablelens.engines.base import InlineEngine
from tablelens.lake import Lake
from tablelens.testing import HashEncoder, make_lake

settings.register_profile("tablelens", deadline=None)  # a time says nothing on a machine that others use too
settings.load_profile("tablelens")
COUNTRIES = [
    *("Austria", "Belgium", "Chile", "Denmark", "Estonia", "France", "Germany", "Hungary", "Italy", "Japan"),
    *("Kenya", "Latvia", "Mexico", "Norway", "Oman", "Peru", "Qatar", "Romania", "Spain", "Togo"),
]
CODES = [
    *("AT", "BE", "CL", "DK", "EE", "FR", "DE", "HU", "IT", "JP"),
    *("KE", "LV", "MX", "NO", "OM", "PE", "QA", "RO", "ES", "TG"),
]


def crowd():
    """Tables of a lake: 18 with the same names, one of them with their codes, three with codes."""
    parts = ("North", "South", "East", "West", "New")
    names = [f"{part} {name}" for part in parts for name in COUNTRIES]
    codes = [part[0] + code for part in parts for code in CODES]
    sales = {f"sales{i:02}.csv": {"country": names, "amount": list(range(100))} for i in range(17)}
    offices = {f"office{i}.csv": {"code": codes * 2, "desk": [f"desk {j}" for j in range(200)]} for i in range(3)}
    return {"names.csv": {"country": names, "code": codes}} | sales | offices


def numbered():
    """The same with numbers for the names of the sales, and names for the codes of the offices."""
    made = crowd()
    names = made["names.csv"]["country"]
    numbers = [7919 * (i + 3) % 99_991 for i in range(len(names))]
    tables = {name: {"country_id": numbers, "amount": made[name]["amount"]} for name in made if "sales" in name}
    return tables | {"names.csv": {"country_id": numbers, "country": names}, "offices.csv": {"country": names}}


CAPITALS = [
    *("Vienna", "Brussels", "Santiago", "Copenhagen", "Tallinn", "Paris", "Berlin", "Budapest", "Rome", "Tokyo"),
    *("Nairobi", "Riga", "Mexico City", "Oslo", "Muscat", "Lima", "Doha", "Bucharest", "Madrid", "Lomé"),
]
CUSTOMERS = [f"C{i:03}" for i in range(60)]
TINY_LAKE = {
    "shop/orders.csv": {  # 1.5 orders a customer, of 40 of the 60 customers
        "order_id": [f"O-{i:04}" for i in range(60)],
        "customer_id": [CUSTOMERS[i % 40] for i in range(60)],
        "amount": [round(3.7 * i + 0.25, 2) for i in range(60)],
        "paid": [i % 2 == 0 for i in range(60)],
    },
    "shop/customers.csv": {
        "customer_id": CUSTOMERS,
        "name": [f"Customer number {i}" for i in range(60)],
        "country": [CODES[i % 15] for i in range(60)],
    },
    "world/countries.csv": {"iso2": CODES, "country": COUNTRIES},
    "world/capitals.csv": {"capital": CAPITALS, "country": [name.upper() for name in COUNTRIES]},
    "world/climate.csv": {
        "city": [*CAPITALS[:12], *(f"Town {i}" for i in range(8))],
        "rain_mm": [(137 * i) % 911 for i in range(20)],
        "source": ["survey"] * 20,
        "remark": [None] * 20,
        "coastal": ["yes", "no"] * 10,
    },
}
"""orders → customers → countries → capitals → climate, each pair by one column."""


@pytest.fixture(scope="session", autouse=True)
def hash_encoder():
    """Make "hash" the name of an encoder that needs no weights, beside those that there are."""
    real = tablelens.open_home.load_encoder

    def load_encoder(name, models=None):
        return HashEncoder() if name == "hash" else real(name, models)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tablelens.pipeline.crawl, "load_encoder", load_encoder)
        patch.setattr(tablelens.open_home, "load_encoder", load_encoder)
        patch.setattr(tablelens.cli.check, "load_encoder", load_encoder)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_name_a_module():
    """Nobody imported ``api`` or ``probes`` by their folder's name: that makes a second copy of each module."""
    yield
    twice = {name for name in sys.modules if name.partition(".")[0] in ("api", "probes")}
    assert not twice, f"imported under a second name: {sorted(twice)}"


@pytest.fixture(scope="session")
def tiny_lake(tmp_path_factory):
    """The folder of a lake with five tables; read only."""
    return make_lake(tmp_path_factory.mktemp("lakes") / "tiny", TINY_LAKE)


@pytest.fixture(scope="session")
def crawled(tiny_lake, tmp_path_factory):
    """The tiny lake, crawled; read only."""
    lake = Lake.open(tmp_path_factory.mktemp("homes") / "home", encoder="hash")
    lake.crawl(tiny_lake, engine=InlineEngine())
    return lake


@pytest.fixture
def home(tmp_path):
    """A home that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def crawl(home):
    """Crawl a folder into a home of the test's own, in this process; gives (lake, report)."""

    def crawl_folder(folder, name=None, refresh="changed", **settings):
        lake = Lake.open(home, **({"encoder": "hash"} | settings))
        return lake, lake.crawl(folder, name, refresh=refresh, engine=InlineEngine())

    return crawl_folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A sentence-transformers folder with a random BERT of two layers; nothing is downloaded."""
    reason = "sentence-transformers is not installed: pip install 'tablelens[models]'"
    pytest.importorskip("sentence_transformers", reason=reason)
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "france", "spain", "paris"]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    torch.manual_seed(7)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 64, "do_lower_case": False}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder
