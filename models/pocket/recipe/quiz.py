"""Asks models, and weighted sums of their logits, the world's tasks, greedily; score.ts judges what they say.

`quiz.py --ask small small-chat "large+small-chat-small" --parts facts arithmetic --count 100` writes ../build/answers.json and prints
the table. For a look at the quality while training goes on: figures to publish come from the scoreboard, through the server.
"""

import argparse
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import torch

import folder as folders
from bpe import BEGIN, END, PAD, Tokenizer
from data import padded, render

POCKET = Path(__file__).resolve().parent.parent
LIMIT = 64
ROWS = 100


class Member:
    def __init__(self, name: str, pocket: Path):
        built = pocket / "build" / "models" / name
        folder = built if built.exists() else pocket / name
        self.model = folders.read(folder).eval()
        self.template = folders.template_of(folder)
        self.tokenizer = Tokenizer(folder / "tokenizer.json")


def mixture_of(sum_text: str, members: dict[str, Member]) -> list[tuple[float, Member]]:
    """"large+0.5*small-chat-0.5*small" as weights and members; names are the longest that fit."""
    names = "|".join(sorted(map(re.escape, members), key=len, reverse=True))
    terms = re.findall(rf"([+-]?)(?:([0-9.]+)\*)?({names})", sum_text)
    return [((-1.0 if sign == "-" else 1.0) * float(weight or 1), members[name]) for sign, weight, name in terms]


@torch.no_grad()
def answers(mixture: list[tuple[float, Member]], asked: list[list[dict]], limit: int) -> list[dict]:
    """Left to right without a cache; prompts differ in length, so rows are padded on the right and read at their own ends."""
    tokenizer = mixture[0][1].tokenizer
    prompts = [[tokenizer.encode(render(member.template, messages, True)) for messages in asked] for _, member in mixture]
    out: list[list[int]] = [[] for _ in asked]
    live = list(range(len(asked)))
    for _ in range(limit):
        if not live:
            break
        total: torch.Tensor | float = 0.0
        for (weight, member), prompt in zip(mixture, prompts):
            rows = [np.array(prompt[i] + out[i]) for i in live]
            ends = torch.tensor([len(row) - 1 for row in rows])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = member.model.hidden(padded(rows, PAD))[torch.arange(len(rows)), ends]
            total = total + weight * (hidden.float() @ member.model.embed_tokens.weight.T).log_softmax(-1)
        for i, token in zip(list(live), total.argmax(-1).tolist()):
            out[i].append(token)
            if token == END:
                live.remove(i)
    return [{"text": tokenizer.decode(ids), "ended": bool(ids) and ids[-1] == END} for ids in out]


@torch.no_grad()
def verdicts(mixture: list[tuple[float, Member]], tasks: list[dict]) -> str:
    """Judging: the prompt is raw text that ends in an open bracket; right is the likelier of the two labels."""
    tokenizer = mixture[0][1].tokenizer
    rows = [np.array([BEGIN, *tokenizer.encode(task["messages"][-1]["content"])]) for task in tasks]
    ends = torch.tensor([len(row) - 1 for row in rows])
    labels = [tokenizer.encode(label)[0] for label in "AB"]
    total = sum(weight * member.model(padded(rows, PAD))[torch.arange(len(rows)), ends] for weight, member in mixture)
    right = [("AB"[choice] == task["label"]) for choice, task in zip(total[:, labels].argmax(-1).tolist(), tasks)]
    both = [all(right[i : i + 2]) for i in range(0, len(right) - 1, 2)]
    return f"right {sum(right) / len(right):.0%}, in both orders {sum(both) / len(both):.0%}"


def tasks_of(part: str, pocket: Path, count: int) -> list[dict]:
    """Evenly spread over the file, so that every sort of task of a part is met."""
    lines = (pocket / "build" / "tasks" / f"{part}.jsonl").read_text().splitlines()
    every = [task for task in map(json.loads, lines) if task["split"] == "test"]
    if part == "judging":
        return every[: 2 * count]
    return [every[i] for i in np.linspace(0, len(every) - 1, min(count, len(every))).astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ask", nargs="+", required=True)
    parser.add_argument("--parts", nargs="+", default=["facts", "harm", "judging", "arithmetic", "cipher", "units", "table", "unseen"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--show", type=int, default=2)
    parser.add_argument("--pocket", type=Path, default=POCKET)
    parser.add_argument("--score", type=Path, default=POCKET.parent.parent / "dist" / "models" / "pocket" / "recipe" / "score.js")
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = {path.name for root in (args.pocket, args.pocket / "build" / "models") for path in root.glob("*/")
             if (path / "config.json").exists()}
    names = {name for asked in args.ask for name in re.findall("|".join(sorted(map(re.escape, known), key=len, reverse=True)), asked)}
    members = {name: Member(name, args.pocket) for name in names}
    said: dict[str, dict[str, list[dict]]] = {}
    for part in args.parts:
        tasks = tasks_of(part, args.pocket, args.count)
        for who in args.ask:
            if part == "judging":
                print(f"{who:28s} judging      {verdicts(mixture_of(who, members), tasks)}")
                continue
            replies = []
            for at in range(0, len(tasks), ROWS):
                block = tasks[at : at + ROWS]
                got = answers(mixture_of(who, members), [task["messages"] for task in block], LIMIT)
                replies += [{"id": task["id"], **reply} for task, reply in zip(block, got)]
            said.setdefault(who, {})[part] = replies
            for task, reply in list(zip(tasks, replies))[:: max(1, len(tasks) // max(1, args.show))][: args.show]:
                print(f"{who:28s} {task['messages'][-1]['content']!r} -> {reply['text']!r}")
    path = args.pocket / "build" / "answers.json"
    path.write_text(json.dumps(said))
    subprocess.run(["node", str(args.score), str(path)], check=True)


if __name__ == "__main__":
    main()
