"""Pictures and what is said of them as training rows: one picture, then several exchanges about it side by side.

The exchanges of a row do not see each other: a mask lets each see the picture and itself, and each counts its positions from the
picture's end. So a row costs one picture and trains as many single-turn answers. Some rows are plain conversations instead.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bpe import BEGIN, END, PAD, SPECIAL, Tokenizer
from data import NOT_TRAINED

IMAGE = 1536
"""The id of `<image>`, after the vocabulary that the whole suite shares."""
USER, ASSISTANT = SPECIAL.index("<|user|>"), SPECIAL.index("<|assistant|>")
START = 2
"""A picture stands after `<|begin|><|user|>`."""
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Rows:
    pixels: torch.Tensor
    ids: torch.Tensor
    targets: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor


class Book:
    """The pixels and the lines of one book of the generator (world/pictures/write.ts)."""

    def __init__(self, folder: Path, name: str, size: int):
        self.pixels = np.memmap(folder / f"{name}.rgb", dtype=np.uint8, mode="r").reshape(-1, size, size, 3)
        self.lines = [json.loads(line) for line in (folder / f"{name}.jsonl").open()]

    def __len__(self) -> int:
        return len(self.lines)

    def images(self, chosen: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(self.pixels[np.sort(chosen)][np.argsort(np.argsort(chosen))]).permute(0, 3, 1, 2).float() / 255
        return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


class Encoder:
    def __init__(self, tokenizer: Tokenizer, patches: int):
        self.tokenizer, self.patches = tokenizer, patches
        self.known: dict[str, list[int]] = {}

    def ids(self, text: str) -> list[int]:
        if text not in self.known:
            self.known[text] = self.tokenizer.encode(text)
        return self.known[text]

    def row(self, exchanges: list[tuple[str, str]], length: int, apart: bool) -> tuple[np.ndarray, ...]:
        """ids, targets, positions and, per token, its exchange: 0 the picture, −1 padding. What does not fit is left out."""
        prefix = [BEGIN, USER] + [IMAGE] * self.patches
        ids, mine, place, part = list(prefix), [False] * len(prefix), list(range(len(prefix))), [0] * len(prefix)
        at = len(prefix)
        for number, (question, answer) in enumerate(exchanges, 1):
            asked = self.ids("\n" + question) if apart or number == 1 else [USER, *self.ids(question)]
            asked = [*asked, END, ASSISTANT]
            told = [*self.ids(answer), END]
            if len(ids) + len(asked) + len(told) > length:
                break
            ids += asked + told
            mine += [False] * len(asked) + [True] * len(told)
            place += range(at, at + len(asked) + len(told))
            part += [number if apart else 0] * (len(asked) + len(told))
            at = len(prefix) if apart else at + len(asked) + len(told)
        gap = length - len(ids)
        targets = [ids[i + 1] if i + 1 < len(ids) and mine[i + 1] else NOT_TRAINED for i in range(len(ids))]
        return (np.array(ids + [PAD] * gap), np.array(targets + [NOT_TRAINED] * gap),
                np.array(place + [0] * gap), np.array(part + [-1] * gap))

    def rows(self, pixels: torch.Tensor, exchanges: list[list[tuple[str, str]]], length: int, apart: bool = True) -> Rows:
        ids, targets, positions, parts = (np.stack(x) for x in zip(*(self.row(e, length, apart) for e in exchanges)))
        seen = (parts[:, None, :] == 0) | (parts[:, None, :] == parts[:, :, None])
        seen &= np.tri(length, dtype=bool)[None]
        mask = torch.zeros(len(ids), 1, length, length, dtype=torch.bfloat16)
        mask.masked_fill_(~torch.from_numpy(seen)[:, None], -1e4)
        return Rows(pixels, torch.from_numpy(ids), torch.from_numpy(targets), torch.from_numpy(positions), mask)
