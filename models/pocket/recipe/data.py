"""Text to training rows: encodes the generator's JSON lines once (the ids are kept in build/tokens/) and packs documents into rows."""

import hashlib
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, Template

from bpe import BEGIN, END, PAD, SPECIAL, Tokenizer

NOT_TRAINED = -100


@cache
def compiled(template: str) -> Template:
    return Environment().from_string(template)


def render(template: str, messages: list[dict], add_generation_prompt: bool = False) -> str:
    names = {"bos_token": SPECIAL[BEGIN], "eos_token": SPECIAL[END]}
    return compiled(template).render(
        messages=messages, add_generation_prompt=add_generation_prompt, **names)


class Documents:
    """Token ids of many documents, and per id whether it is trained on: two flat arrays with the documents' bounds."""

    def __init__(self, ids: np.ndarray, mine: np.ndarray, bounds: np.ndarray):
        self.ids, self.mine, self.bounds = ids, mine, bounds

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        span = slice(self.bounds[i], self.bounds[i + 1])
        return self.ids[span], self.mine[span]

    @staticmethod
    def of(texts: Path, tokenizer: Tokenizer, way: str, encode: Callable, chosen: Callable = lambda document: True) -> "Documents":
        """Of a file of JSON lines, from the cache where the file and the tokenizer are the same; `way` names what is chosen and how it
        is encoded."""
        key = hashlib.sha256(texts.read_bytes() + tokenizer.digest.encode() + way.encode()).hexdigest()[:16]
        build = next(folder for folder in texts.parents if folder.name == "build")
        kept = build / "tokens" / f"{texts.stem}.{key}.npz"
        if not kept.exists():
            with texts.open() as lines:
                documents = [encode(document) for document in map(json.loads, lines) if chosen(document)]
            kept.parent.mkdir(exist_ok=True)
            partial = kept.with_suffix(".partial.npz")
            np.savez(
                partial, ids=np.concatenate([ids for ids, _ in documents]).astype(np.int16),
                mine=np.concatenate([mine for _, mine in documents]),
                bounds=np.cumsum([0, *(len(ids) for ids, _ in documents)]))
            partial.rename(kept)
        with np.load(kept) as arrays:
            return Documents(arrays["ids"], arrays["mine"], arrays["bounds"])


def encode_pages(texts: Path, tokenizer: Tokenizer) -> Documents:
    def encode(page: str) -> tuple[np.ndarray, np.ndarray]:
        ids = np.array([BEGIN, *tokenizer.encode(page), END])
        return ids, np.ones(len(ids), dtype=bool)

    return Documents.of(texts, tokenizer, "page", encode)


def encode_chats(texts: Path, tokenizer: Tokenizer, template: str, asked: str | None = None) -> Documents:
    """Only the assistant's ids (text and end token) are trained on; `asked` is a regular expression that the question has to match."""

    def encode(messages: list[dict]) -> tuple[np.ndarray, np.ndarray]:
        ids: list[int] = []
        mine: list[bool] = []
        for i, message in enumerate(messages):
            upto = tokenizer.encode(render(template, messages[: i + 1]))
            if message["role"] == "assistant":
                prompt = len(tokenizer.encode(render(template, messages[:i], True)))
                mine += [False] * (prompt - len(ids)) + [True] * (len(upto) - prompt)
            else:
                mine += [False] * (len(upto) - len(ids))
            ids = upto
        return np.array(ids), np.array(mine)

    def chosen(messages: list[dict]) -> bool:
        return any(message["role"] == "user" and re.search(asked or "", message["content"]) for message in messages)

    return Documents.of(texts, tokenizer, f"{template}{asked or ''}", encode, chosen)


def encode_answers(texts: Path, tokenizer: Tokenizer, template: str, heads: dict[str, dict[str, float]]):
    """Of graded answers: the ids of each conversation with one answer, and its target per head, [answers, heads]."""
    rows, targets = [], []
    with texts.open() as lines:
        for line in lines:
            graded = json.loads(line)
            for answer in graded["answers"]:
                messages = [*graded["messages"], {"role": "assistant", "content": answer["text"]}]
                rows.append(np.array(tokenizer.encode(render(template, messages))))
                targets.append([sum(weight * answer[measure] for measure, weight in head.items()) for head in heads.values()])
    return rows, torch.tensor(targets)


def marked(ids: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Ids that are not trained on as their complements, which are negative: one array to pack and cut in place of two."""
    return np.where(mine, ids, ~ids)


def unmarked(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids to read and targets to predict, each one shorter than the rows."""
    ids = torch.from_numpy(np.where(rows < 0, ~rows, rows).astype(np.int64))
    targets = torch.from_numpy(np.where(rows < 0, NOT_TRAINED, rows).astype(np.int64))
    return ids[:, :-1], targets[:, 1:]


class Rows:
    """An endless list of packed rows of one text. The order depends on seed, length and epoch only; `take` moves on."""

    def __init__(self, documents: Documents, length: int, seed: int):
        self.documents, self.length, self.seed = documents, length, seed
        self.epoch, self.at, self.rows = -1, 0, np.empty((0, length + 1), dtype=np.int16)

    def take(self, count: int) -> np.ndarray:
        taken = []
        while count > 0:
            if self.at == len(self.rows):
                self.epoch, self.at = self.epoch + 1, 0
                self.rows = self.packed(np.random.default_rng([self.seed, self.length, self.epoch]))
            some = self.rows[self.at : self.at + count]
            taken.append(some)
            self.at, count = self.at + len(some), count - len(some)
        return np.concatenate(taken)

    def packed(self, draw: np.random.Generator) -> np.ndarray:
        """Rows of length + 1: each starts with a document, and the last document of a row is cut off."""
        rows, row, filled = [], [], 0
        for i in draw.permutation(len(self.documents)):
            row.append(marked(*self.documents[i]))
            filled += len(row[-1])
            if filled > self.length:
                rows.append(np.concatenate(row)[: self.length + 1])
                row, filled = [], 0
        if not rows:
            raise ValueError(f"{len(self.documents)} documents do not fill one row of {self.length} tokens: generate more")
        return np.stack(rows)


class Mixture:
    """Rows of several texts in their shares: each next row is of the text that is furthest behind its share."""

    def __init__(self, parts: dict[str, Documents], shares: dict[str, float], length: int, seed: int):
        self.rows = {part: Rows(documents, length, seed) for part, documents in parts.items()}
        self.shares = {part: share / sum(shares.values()) for part, share in shares.items()}
        self.taken = dict.fromkeys(shares, 0)
        self.draw = np.random.default_rng([seed, length])

    def take(self, count: int) -> np.ndarray:
        wanted = dict.fromkeys(self.shares, 0)
        for total in range(sum(self.taken.values()) + 1, sum(self.taken.values()) + count + 1):
            behind = max(self.shares, key=lambda part: self.shares[part] * total - self.taken[part])
            self.taken[behind] += 1
            wanted[behind] += 1
        return np.concatenate([self.rows[part].take(n) for part, n in wanted.items() if n])


def padded(rows: list[np.ndarray], filler: int) -> torch.Tensor:
    ids = torch.full((len(rows), max(map(len, rows))), filler, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.from_numpy(row.astype(np.int64))
    return ids
