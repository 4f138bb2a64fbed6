"""Trains the pocket trio on one or two CPU cores: `train.py tokenizer`, `train.py base large|small`, `train.py chat`.

Text comes from the world generator (../world). Each training run checkpoints to ../build and continues from there when
it was killed; `--fresh` starts anew. Finished (or part-finished) weights are written as Hugging Face folders.
"""

import argparse
import json
import math
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import bpe
from data import encode_chat, encode_raw, pack, pad_chats
from model import Llama, Size, load, save
from optimiser import Muon

HERE = Path(__file__).resolve().parent.parent
BUILD = HERE / "build"
SIZES = {
    "large": Size(hidden=192, layers=4, heads=4, kv_heads=2, feed_forward=576),
    "small": Size(hidden=96, layers=3, heads=3, kv_heads=3, feed_forward=256),
}
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] | trim }}\n"
    "{% elif message['role'] == 'user' %}Question: {{ message['content'] | trim }}\n"
    "{% else %}Answer:\n{{ message['content'] | trim }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:\n{% endif %}"
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + (message['content'] | trim) + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SHORT_ROWS, SHORT_LENGTH = 20, 128
LONG_ROWS, LONG_LENGTH, LONG_EVERY = 5, 512, 12


def write_tokenizer_config(folder: Path, template: str) -> None:
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bpe.SPECIAL[bpe.BEGIN],
        "eos_token": bpe.SPECIAL[bpe.END], "pad_token": bpe.SPECIAL[bpe.PAD], "add_bos_token": True,
        "add_eos_token": False, "clean_up_tokenization_spaces": False, "model_max_length": 512,
        "chat_template": template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "tokenizer.json").write_bytes((BUILD / "tokenizer.json").read_bytes())


def make_tokenizer(args) -> None:
    words: Counter = Counter()
    with (BUILD / "raw.jsonl").open() as lines:
        for _, line in zip(range(40000), lines):
            words.update(bpe.SPLIT.findall(json.loads(line)))
    vocabulary, merges = bpe.train(words, args.vocabulary)
    bpe.write(BUILD / "tokenizer.json", vocabulary, merges)
    print(f"{len(vocabulary)} tokens, {len(merges)} merges")


def schedule(step: int, steps: int, warm_up: int = 100, floor: float = 0.02) -> float:
    if step < warm_up:
        return (step + 1) / warm_up
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def optimisers(model: Llama, lr: float, muon_lr: float | None):
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and n.startswith("layers.")]
    outer = [p for n, p in model.named_parameters() if not (p.ndim == 2 and n.startswith("layers."))]
    adam = {"betas": (0.9, 0.98), "eps": 1e-9, "fused": True}
    if muon_lr is None:
        return [torch.optim.AdamW([{"params": inner, "weight_decay": 0.05}, {"params": outer, "weight_decay": 0.0}],
                                  lr=lr, **adam)]
    return [Muon(inner, lr=muon_lr), torch.optim.AdamW(outer, lr=lr, weight_decay=0.0, **adam)]


def loss_of(model: Llama, ids: torch.Tensor, targets: torch.Tensor, mixed: bool) -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
        logits = model(ids)
    return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-100)


def run(model: Llama, opts, steps: int, batch, args, name: str, finish) -> None:
    """The loop shared by base and chat training: schedule, clip, step, log, checkpoint, resume."""
    checkpoint = BUILD / f"{name}.pt"
    log_path = BUILD / f"{name}.log.jsonl"
    first = 0
    if checkpoint.exists() and not args.fresh:
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"], strict=False)
        for opt, saved in zip(opts, state["optimisers"]):
            opt.load_state_dict(saved)
        first = state["step"]
        print(f"{name}: continues at step {first}", flush=True)
    peaks = [[group["lr"] if first == 0 else group["peak"] for group in opt.param_groups] for opt in opts]
    for opt, lrs in zip(opts, peaks):
        for group, lr in zip(opt.param_groups, lrs):
            group["peak"] = lr
    began, tokens, recent, saved_at = time.time(), 0, [], time.time()
    log = log_path.open("a" if first else "w")
    for step in range(first, steps):
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = group["peak"] * schedule(step, steps)
        ids, targets = batch(step)
        loss = loss_of(model, ids, targets, args.mixed)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        tokens += ids.numel()
        recent.append(loss.item())
        if (step + 1) % 50 == 0 or step + 1 == steps:
            row = {"step": step + 1, "loss": round(float(np.mean(recent)), 4),
                   "tokensPerSecond": round(tokens / (time.time() - began))}
            log.write(json.dumps(row) + "\n")
            log.flush()
            print(name, row, flush=True)
            recent = []
        if time.time() - saved_at > args.checkpoint_seconds or step + 1 == steps:
            saved_at = time.time()
            partial = checkpoint.with_suffix(".partial")
            torch.save({"model": model.state_dict(), "optimisers": [o.state_dict() for o in opts], "step": step + 1}, partial)
            os.replace(partial, checkpoint)
            finish()


def train_base(args) -> None:
    torch.manual_seed(args.seed)
    size = SIZES[args.size]
    folder = HERE / (args.name or args.size)
    tokenizer = bpe.Tokenizer(BUILD / "tokenizer.json")
    late_from = args.steps - args.late_steps
    corpora = {file: encode_raw(BUILD / file, tokenizer) for file in ("raw.jsonl", "late.jsonl")}
    for file, documents in corpora.items():
        print(f"{file}: {len(documents)} documents, {sum(map(len, documents))} tokens", flush=True)
    epochs: dict[tuple[str, int], list[np.ndarray]] = {}

    def rows_of(file: str, length: int, index: int, count: int) -> np.ndarray:
        """Rows `index * count` onward of an endless list of epochs; the order depends on seed, length and epoch only."""
        packed, documents = epochs.setdefault((file, length), []), corpora[file]
        for epoch in range(1 << 20):
            if epoch == len(packed):
                order = np.random.default_rng([args.seed, length, epoch]).permutation(len(documents))
                packed.append(pack(documents, order, length))
            whole = len(packed[epoch]) // count
            if index < whole:
                return packed[epoch][index * count : (index + 1) * count]
            index -= whole
        raise RuntimeError("no rows: the corpus is shorter than one batch")

    def batch(step: int):
        file, at = ("raw.jsonl", step) if step < late_from else ("late.jsonl", step - late_from)
        if at % LONG_EVERY == LONG_EVERY - 1:
            rows = rows_of(file, LONG_LENGTH, at // LONG_EVERY, LONG_ROWS)
        else:
            rows = rows_of(file, SHORT_LENGTH, at - at // LONG_EVERY, SHORT_ROWS)
        data = torch.from_numpy(rows.astype(np.int64))
        return data[:, :-1], data[:, 1:]

    model = Llama(size)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)

    def finish() -> None:
        save(model, folder, bpe.BEGIN, bpe.END, bpe.PAD)
        write_tokenizer_config(folder, PLAIN_TEMPLATE)

    run(model, optimisers(model, args.lr, args.muon_lr), args.steps, batch, args, args.name or args.size, finish)


def train_chat(args) -> None:
    torch.manual_seed(args.seed)
    tokenizer = bpe.Tokenizer(BUILD / "tokenizer.json")
    documents = encode_chat(BUILD / "chat.jsonl", tokenizer, CHAT_TEMPLATE, args.documents)
    model = load(HERE / args.base)
    order = np.random.default_rng(args.seed)
    folder = HERE / args.name
    choices = [order.integers(0, len(documents), 32) for _ in range(args.steps)]

    def finish() -> None:
        save(model, folder, bpe.BEGIN, bpe.END, bpe.PAD)
        write_tokenizer_config(folder, CHAT_TEMPLATE)

    run(model, optimisers(model, args.lr, None), args.steps, lambda step: pad_chats(documents, choices[step]), args,
        args.name, finish)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="ignore a checkpoint of this run")
    parser.add_argument("--checkpoint-seconds", type=float, default=180)
    parser.add_argument("--mixed", action=argparse.BooleanOptionalAction, default=True,
                        help="matrix products in bfloat16 (2.5 times faster where the processor has avx512_bf16)")
    commands = parser.add_subparsers(dest="command", required=True)
    tokenizer = commands.add_parser("tokenizer")
    tokenizer.add_argument("--vocabulary", type=int, default=1280)
    base = commands.add_parser("base")
    base.add_argument("size", choices=sorted(SIZES))
    base.add_argument("--name")
    base.add_argument("--steps", type=int, required=True)
    base.add_argument("--late-steps", type=int, default=0, help="how many of them, at the end, read late.jsonl")
    base.add_argument("--lr", type=float, default=3e-3)
    base.add_argument("--muon-lr", type=float)
    chat = commands.add_parser("chat")
    chat.add_argument("--base", default="small")
    chat.add_argument("--name", default="small-chat")
    chat.add_argument("--steps", type=int, default=300)
    chat.add_argument("--documents", type=int, default=20000)
    chat.add_argument("--lr", type=float, default=5e-4)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    {"tokenizer": make_tokenizer, "base": train_base, "chat": train_chat}[args.command](args)


if __name__ == "__main__":
    main()
