"""Text to training rows: encodes the generator's JSON lines and packs documents, each row starting with a document."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, Template

from bpe import BEGIN, END, SPECIAL, Tokenizer


@cache
def compiled(template: str) -> Template:
    return Environment().from_string(template)


def render(template: str, messages: list[dict], add_generation_prompt: bool = False) -> str:
    names = {"bos_token": SPECIAL[BEGIN], "eos_token": SPECIAL[END]}
    return compiled(template).render(
        messages=messages, add_generation_prompt=add_generation_prompt, **names)


def encode_raw(path: Path, tokenizer: Tokenizer) -> list[np.ndarray]:
    with path.open() as lines:
        return [np.array([BEGIN, *tokenizer.encode(json.loads(line)), END], dtype=np.int16) for line in lines]


def encode_chat(path: Path, tokenizer: Tokenizer, template: str, limit: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids and, per id, whether it is the assistant's (text and end token): only those are trained on."""
    documents = []
    with path.open() as lines:
        for _, line in zip(range(limit), lines):
            messages = json.loads(line)
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
            documents.append((np.array(ids, dtype=np.int16), np.array(mine)))
    return documents


def pack(documents: list[np.ndarray], order: np.ndarray, length: int) -> np.ndarray:
    """Rows of length + 1: documents in the given order, the last of a row cut off."""
    rows, row, filled = [], [], 0
    for i in order:
        row.append(documents[i])
        filled += len(documents[i])
        if filled > length:
            rows.append(np.concatenate(row)[: length + 1])
            row, filled = [], 0
    return np.stack(rows)


def pad_chats(documents: list[tuple[np.ndarray, np.ndarray]], chosen: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """One conversation a row, padded; targets that are not the assistant's are -100."""
    width = max(len(documents[i][0]) for i in chosen)
    ids = torch.full((len(chosen), width), END, dtype=torch.long)
    targets = torch.full((len(chosen), width), -100, dtype=torch.long)
    for row, i in enumerate(chosen):
        tokens, mine = documents[i]
        ids[row, : len(tokens)] = torch.from_numpy(tokens.astype(np.int64))
        targets[row, : len(tokens)] = torch.from_numpy(np.where(mine, tokens, -100).astype(np.int64))
    return ids[:, :-1], targets[:, 1:]
