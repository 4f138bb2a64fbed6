"""Trains one row of the plan: builds model, data and optimisers for its kind, runs the loop, writes the model folder."""

import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import bpe
import folder as folders
from anchor import Anchor
from data import NOT_TRAINED, Documents, Mixture, encode_answers, encode_chats, encode_pages, padded, unmarked
from loop import Batch, Result, train
from model import Llama, Scorer
from optimiser import Muon
from plan import SIZES, Entry, by_name, plan_hash

SHORT, LONG = 128, 512
LONG_EVERY = 16
"""Every so many steps a base model reads rows of the whole context: most documents are short, prompts with examples are not."""


def adam(groups: list[dict], lr: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-9, fused=True)


def optimisers_of(model: torch.nn.Module, entry: Entry) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers." in name]
    others = [p for name, p in model.named_parameters() if not (p.ndim == 2 and "layers." in name)]
    if entry.muon_lr is not None:
        return [Muon(matrices, lr=entry.muon_lr), adam([{"params": others, "weight_decay": 0.0}], entry.lr)]
    return [adam([{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}], entry.lr)]


def llama_of(folder: Path) -> Llama:
    model = folders.read(folder)
    if not isinstance(model, Llama):
        raise TypeError(f"{folder} holds a reward model; only a language model can be trained on")
    return model


def next_token_loss(model: Llama, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(ids)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=NOT_TRAINED)


def maybe_compiled(entry: Entry):
    """Compiled, a step is two to three times as fast; compiling takes a minute, once for a size and a shape. Needs a C++ compiler."""
    if entry.size == "reward" or shutil.which("g++") is None:
        return next_token_loss
    return torch.compile(next_token_loss, dynamic=False)


def texts_of(entry: Entry, build: Path, tokenizer: bpe.Tokenizer) -> dict[str, Documents]:
    if entry.kind == "base":
        return {part: encode_pages(build / "pages" / f"{part}.jsonl", tokenizer) for part in entry.shares}
    return {name: encode_chats(build / "chats" / f"{name}.jsonl", tokenizer, entry.template, entry.asked) for name in entry.shares}


def anchor_of(entry: Entry, build: Path, tokenizer: bpe.Tokenizer, parent: Path | None) -> Anchor | None:
    if not entry.stays:
        return None
    if parent is None or entry.parent is None:
        raise ValueError(f"{entry.name} has no parent in the plan: there is nothing that it could stay with")
    texts = [build / f"{text}.jsonl" for text in entry.stays]
    return Anchor(llama_of(parent), by_name(entry.parent).template, entry.template, texts, tokenizer, entry.seed, entry.beyond)


def train_language(entry: Entry, build: Path, tokenizer: bpe.Tokenizer, parent: Path | None, run) -> tuple[Llama, Result]:
    """Base models read everything, tuned ones are trained on the assistant's words; the text says which ids those are."""
    texts = texts_of(entry, build, tokenizer)
    for name, documents in texts.items():
        print(f"{name}: {len(documents)} documents, {len(documents.ids)} tokens", flush=True)
    mixtures = {length: Mixture(texts, entry.shares, length, entry.seed) for length in (SHORT, LONG)}
    model = Llama(SIZES[entry.size]) if parent is None else llama_of(parent)
    anchor = anchor_of(entry, build, tokenizer, parent)
    loss_of = maybe_compiled(entry)

    def rows(step: int) -> np.ndarray:
        length = LONG if entry.kind == "base" and step % LONG_EVERY == LONG_EVERY - 1 else SHORT
        taken = mixtures[length].take(entry.rows * SHORT // length)
        return mixtures[length].draw.permutation(taken)

    def batch(step: int) -> Batch:
        ids, targets = unmarked(rows(step))
        if anchor is None:
            return Batch(lambda: loss_of(model, ids, targets), targets.numel())
        kept = anchor.batch(step)
        return Batch(lambda: loss_of(model, ids, targets) + entry.hold * anchor.loss(model, kept), targets.numel())

    def skip(steps: int) -> None:
        for step in range(steps):
            rows(step)

    return model, run(model, optimisers_of(model, entry), entry.steps, batch, skip=skip)


def train_reward(entry: Entry, build: Path, tokenizer: bpe.Tokenizer, parent: Path, run) -> tuple[Scorer, Result]:
    """Regression on what the world measures."""
    body = llama_of(parent)
    rows, targets = encode_answers(build / "preferences.jsonl", tokenizer, entry.template, entry.heads)
    model = Scorer(body, tuple(entry.heads))

    def batch(step: int) -> Batch:
        chosen = np.random.default_rng([entry.seed, step]).integers(0, len(rows), entry.rows)
        ids = padded([rows[i] for i in chosen], bpe.PAD)
        last = torch.tensor([len(rows[i]) - 1 for i in chosen])
        wanted = targets[torch.from_numpy(chosen)]

        def loss() -> torch.Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                scores = model(ids, last)
            return F.mse_loss(scores.float(), wanted)

        return Batch(loss, int((ids != bpe.PAD).sum()))

    return model, run(model, optimisers_of(model, entry), entry.steps, batch)


def build_model(entry: Entry, build: Path, parent: Path | None, target: Path, until: float | None, adopts: bool) -> dict:
    """Trains and writes `target`; returns what the card tells of the run."""
    torch.manual_seed(entry.seed)
    tokenizer = bpe.Tokenizer(build / "tokenizer.json")
    identity = plan_hash(entry, build)

    def run(model, optimisers, steps, batch, **rest) -> Result:
        return train(model, optimisers, steps, batch, name=entry.name, identity=identity, build=build,
                     until=until, adopts=adopts, **rest)

    if entry.kind != "reward":
        model, result = train_language(entry, build, tokenizer, parent, run)
    elif parent is None:
        raise ValueError(f"{entry.name} has no parent in the plan: a reward model starts from a base model")
    else:
        model, result = train_reward(entry, build, tokenizer, parent, run)
    folders.write(model, target, entry.template, build / "tokenizer.json")
    return {
        "planHash": identity, "steps": result.steps, "tokens": result.tokens, "seconds": round(result.seconds),
        "loss": result.loss, "parameters": sum(p.numel() for p in model.parameters()),
        "finished": time.strftime("%Y-%m-%d %H:%M"),
    }
