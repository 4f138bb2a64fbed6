"""Byte-level BPE, trained and applied in plain Python, written as a Hugging Face tokenizer.json.

Text is split at every digit first, then by GPT-2's pattern: numbers are read digit by digit, which is what lets so small a
model reckon with them. The corpus is ASCII, so the pattern is used in its ASCII form here; the shipped tokenizer.json asks
for the full one, which splits ASCII in the same way.
"""

import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

SPECIAL = ["<|begin|>", "<|end|>", "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>"]
BEGIN, END, PAD = 0, 1, 2
DIGITS = re.compile(r"[0-9]|[^0-9]+")
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def words_of(text: str) -> list[str]:
    """The pieces that are never merged across; joined, they are the text."""
    return [word for piece in DIGITS.findall(text) for word in SPLIT.findall(piece)]


def byte_symbols() -> dict[int, str]:
    """GPT-2's table from bytes to printable characters: bytes that print stay, the others move above U+0100."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in printable}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(printable))
    return table


SYMBOLS = byte_symbols()


def symbols(word: str) -> tuple[str, ...]:
    return tuple(SYMBOLS[b] for b in word.encode("utf-8"))


def train(words: Counter, vocabulary_size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Merges the most frequent pair (ties: the smaller pair) until the vocabulary is full."""
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *(SYMBOLS[b] for b in range(256))])}
    pieces = {word: list(symbols(word)) for word in words}
    counts: Counter = Counter()
    holders = defaultdict(set)
    for word, parts in pieces.items():
        for pair in zip(parts, parts[1:]):
            counts[pair] += words[word]
            holders[pair].add(word)
    merges: list[tuple[str, str]] = []
    while len(vocabulary) < vocabulary_size:
        pair = min(counts, key=lambda p: (-counts[p], p))
        if counts[pair] <= 0:
            raise ValueError(f"the corpus yields {len(vocabulary)} tokens only, asked for {vocabulary_size}")
        merges.append(pair)
        vocabulary[pair[0] + pair[1]] = len(vocabulary)
        for word in list(holders[pair]):
            parts, n = pieces[word], words[word]
            for old in zip(parts, parts[1:]):
                counts[old] -= n
                holders[old].discard(word)
            merged, i = [], 0
            while i < len(parts):
                if i + 1 < len(parts) and (parts[i], parts[i + 1]) == pair:
                    merged.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    merged.append(parts[i])
                    i += 1
            pieces[word] = merged
            for new in zip(merged, merged[1:]):
                counts[new] += n
                holders[new].add(word)
    return vocabulary, merges


class Tokenizer:
    """Encodes with the merges of a tokenizer.json; a word is merged once and remembered."""

    def __init__(self, path: Path):
        text = path.read_text()
        model = json.loads(text)["model"]
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self.vocabulary: dict[str, int] = model["vocab"]
        self.rank = {tuple(merge): i for i, merge in enumerate(model["merges"])}
        self.token = {i: t for t, i in self.vocabulary.items()}
        self.byte = {s: b for b, s in SYMBOLS.items()}
        self.known: dict[str, list[int]] = {}
        self.special = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")

    def word(self, word: str) -> list[int]:
        ids = self.known.get(word)
        if ids is None:
            parts = list(symbols(word))
            while len(parts) > 1:
                best = min(range(len(parts) - 1), key=lambda i: self.rank.get((parts[i], parts[i + 1]), 1 << 30))
                if (parts[best], parts[best + 1]) not in self.rank:
                    break
                parts[best : best + 2] = [parts[best] + parts[best + 1]]
            ids = self.known[word] = [self.vocabulary[p] for p in parts]
        return ids

    def encode(self, text: str) -> list[int]:
        """Special tokens in the text are taken as such; nothing is added."""
        ids: list[int] = []
        for piece in self.special.split(text):
            if piece in SPECIAL:
                ids.append(self.vocabulary[piece])
            else:
                for word in words_of(piece):
                    ids.extend(self.word(word))
        return ids

    def decode(self, ids: list[int]) -> str:
        tokens = [self.token[i] for i in ids]
        return bytes(self.byte[c] for t in tokens if t not in SPECIAL for c in t).decode("utf-8", "replace")


def write(path: Path, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
    def special(token: str) -> dict:
        return {"id": vocabulary[token], "content": token, "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True}

    begin = {"SpecialToken": {"id": SPECIAL[BEGIN], "type_id": 0}}
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special(token) for token in SPECIAL],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        ]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {SPECIAL[BEGIN]: {"id": SPECIAL[BEGIN], "ids": [BEGIN], "tokens": [SPECIAL[BEGIN]]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [list(merge) for merge in merges],
        },
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
