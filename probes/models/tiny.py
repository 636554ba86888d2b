"""Tiny models of the true architectures with random weights, made in memory: what an architecture does before training.

They stand in where published weights cannot be had, and say so wherever they are named. An untrained position code
already tells which order a token stands in, so orders matter to them; what they say of meaning means nothing.
"""

from __future__ import annotations

from typing import Any

from .base import Model
from .transformer import FAMILIES, TransformerModel, encoder_of, limit_of, need_transformers

WIDTH, LAYERS, HEADS, POSITIONS = 64, 2, 4, 512
RANDOM = "random: a tiny untrained model of this architecture"
SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;|-_/'\"()&%$#@!?+*=<>[]{}~^"
UNKNOWN = "[UNK]"
SPECIAL = ["[PAD]", UNKNOWN, "[CLS]", "[SEP]", "[MASK]", "[EMPTY]"]


def load_tiny(kind: str) -> Model:
    """The tiny model of a kind: a family of ``transformer``, ``turl`` or ``tabert``."""
    transformers = need_transformers()
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(7)
        if kind == "turl":
            from .turl import TurlModel, TurlNetwork

            config = bert_config(transformers)
            return TurlModel(f"tiny-{kind}", TurlNetwork(config, entities=4), wordpieces(transformers), RANDOM)
        if kind == "tabert":
            from .tabert import TabertModel, TabertNetwork

            network = TabertNetwork(bert_config(transformers), layers=2, heads=4)
            return TabertModel(f"tiny-{kind}", network, wordpieces(transformers), RANDOM)
        family = FAMILIES[kind]
        module = transformers.AutoModel.from_config(config_of(transformers, kind))
    # T5 has neither a start nor a separator: the tokenizer must not know any
    tokenizer = wordpieces(transformers, ends_only=kind == "t5")
    return TransformerModel(f"tiny-{kind}", family, encoder_of(module), tokenizer, limit_of(module.config), RANDOM)


def bert_config(transformers: Any) -> Any:
    """A small BERT's configuration, dropout on, so that a model that is not set to ``eval`` is found out."""
    return transformers.BertConfig(
        vocab_size=len(SPECIAL) + 2 * len(SIGNS), hidden_size=WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, intermediate_size=2 * WIDTH, max_position_embeddings=POSITIONS,
        type_vocab_size=8, attn_implementation="eager",
    )  # fmt: skip


def config_of(transformers: Any, kind: str) -> Any:
    """A small configuration of a family."""
    words = len(SPECIAL) + 2 * len(SIGNS)
    if kind in ("bert", "doduo"):
        return bert_config(transformers)
    if kind == "roberta":
        return transformers.RobertaConfig(
            vocab_size=words, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            intermediate_size=2 * WIDTH, max_position_embeddings=POSITIONS + 2, pad_token_id=0,
        )  # fmt: skip
    if kind == "t5":
        return transformers.T5Config(
            vocab_size=words, d_model=WIDTH, d_kv=WIDTH // HEADS, d_ff=2 * WIDTH, num_layers=LAYERS, num_heads=HEADS,
            pad_token_id=0,
        )  # fmt: skip
    if kind == "tapas":
        return transformers.TapasConfig(
            vocab_size=words, hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            intermediate_size=2 * WIDTH, max_position_embeddings=POSITIONS,
        )  # fmt: skip
    return transformers.BartConfig(
        vocab_size=words, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=1, encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS, encoder_ffn_dim=2 * WIDTH, decoder_ffn_dim=2 * WIDTH,
        max_position_embeddings=POSITIONS, pad_token_id=0, bos_token_id=2, eos_token_id=3, decoder_start_token_id=3,
    )  # fmt: skip


def wordpieces(transformers: Any, ends_only: bool = False) -> Any:
    """A tokenizer of letters, behind transformers' own interface."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    words = [*SPECIAL, *SIGNS, *(f"##{sign}" for sign in SIGNS)]
    model = models.WordPiece({word: i for i, word in enumerate(words)}, unk_token=UNKNOWN, max_input_chars_per_word=200)
    inner = Tokenizer(model)
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece()
    names = {"pad_token": "[PAD]", "unk_token": UNKNOWN}
    names |= {"eos_token": "[SEP]"} if ends_only else {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names)
