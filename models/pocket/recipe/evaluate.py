"""Asks the trio and their EFT combination the held-out questions, greedily, and has the world's checker score them.

EFT here is large + w (small chat - small) on logits, each member reading its own chat template, all continued with the
same token. Scoring is the generator's (../world/score.ts), so that the truth has one source.
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import torch

from bpe import END, Tokenizer
from data import render
from model import load

HERE = Path(__file__).resolve().parent.parent
MEMBERS = ("large", "small", "small-chat")
BANDS = ("frequent", "middle", "rare")


class Member:
    def __init__(self, folder: Path):
        self.model = load(folder).eval()
        self.template = json.loads((folder / "tokenizer_config.json").read_text())["chat_template"]


@torch.no_grad()
def answer(members: list[tuple[float, Member]], questions: list[str], tokenizer: Tokenizer, limit: int, system: str | None):
    """Greedy continuations of a weighted sum of the members' logits, a batch at a time, left to right without a cache.

    Prompts have different lengths, so rows are padded on the right and each row's logits are read at its own end.
    """
    prompts = []
    for _, member in members:
        head = [{"role": "system", "content": system}] if system else []
        prompts.append([
            tokenizer.encode(render(member.template, [*head, {"role": "user", "content": q}], True)) for q in questions])
    out: list[list[int]] = [[] for _ in questions]
    live = list(range(len(questions)))
    for _ in range(limit):
        if not live:
            break
        total: torch.Tensor | float = 0.0
        for (weight, member), prompt in zip(members, prompts):
            rows = [prompt[i] + out[i] for i in live]
            width = max(map(len, rows))
            ids = torch.full((len(rows), width), END)
            for r, row in enumerate(rows):
                ids[r, : len(row)] = torch.tensor(row)
            ends = torch.tensor([len(row) - 1 for row in rows])
            total = total + weight * member.model(ids)[torch.arange(len(rows)), ends]
        for i, token in zip(list(live), total.argmax(-1).tolist()):
            out[i].append(token)
            if token == END:
                live.remove(i)
    return [{"text": tokenizer.decode(ids), "ended": bool(ids) and ids[-1] == END} for ids in out]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--per-band", type=int, default=100)
    parser.add_argument("--w", type=float, default=1.0)
    parser.add_argument("--limit", type=int, default=96)
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--system")
    parser.add_argument("--models", default="large,small,small-chat,eft")
    parser.add_argument("--out", type=Path, default=HERE / "build" / "answers.json")
    parser.add_argument("--table", type=Path, default=HERE / "build" / "table.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    tokenizer = Tokenizer(HERE / "large" / "tokenizer.json")
    every = json.loads((HERE / "eval" / "questions.json").read_text())
    draw = np.random.default_rng(args.seed)
    chosen = []
    for band in BANDS:
        of_band = [q for q in every if q["band"] == band]
        chosen += [of_band[i] for i in draw.permutation(len(of_band))[: args.per_band]]

    wanted = args.models.split(",")
    folders = [m for m in MEMBERS if m in wanted or "eft" in wanted]
    members = {name: Member(HERE / name) for name in folders}
    mixtures = {name: [(1.0, members[name])] for name in folders if name in wanted}
    if "eft" in wanted:
        mixtures["eft"] = [(1.0, members["large"]), (args.w, members["small-chat"]), (-args.w, members["small"])]
    answers: dict[str, list[dict]] = {}
    for name, mixture in mixtures.items():
        answers[name] = []
        for at in range(0, len(chosen), 50):
            block = chosen[at : at + 50]
            replies = answer(mixture, [q["question"] for q in block], tokenizer, args.limit, args.system)
            answers[name] += [{"id": q["id"], **reply} for q, reply in zip(block, replies)]
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps({"w": args.w, "answers": answers}))

    for k in range(args.samples):
        i = min(len(chosen) - 1, (2 * k + 1) * len(chosen) // (2 * args.samples))
        q = chosen[i]
        print(f"\n[{q['band']}] {q['question']}  (truth: {q['value']})")
        for name in mixtures:
            print(f"  {name:10s} {answers[name][i]['text']!r}")
    print()
    score = HERE.parent.parent / "dist" / "models" / "pocket" / "world" / "score.js"
    subprocess.run(["node", str(score), str(args.out), str(args.table)], check=True)


if __name__ == "__main__":
    main()
