"""How often reward models prefer the better of two answers to the same test question or request; held-out-answers.ts wrote and graded them.

`accuracy.py` prints a line per model and head: of all pairs that the world grades differently, the share that the model ranks alike, and
that share among answers to questions and among answers to requests. The last lines are of the mean of the three equal models.
"""

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import torch

import folder as folders
from bpe import PAD, Tokenizer
from data import padded, render
from plan import PLAN

POCKET = Path(__file__).resolve().parent.parent
PROGRAM = POCKET.parent.parent / "dist" / "models" / "pocket" / "recipe" / "held-out-answers.js"
ROWS = 200


@torch.no_grad()
def scores(name: str, graded: list[dict]) -> np.ndarray:
    """[answers, heads], the answers of all questions one after the other."""
    folder = POCKET / name
    model, template, tokenizer = folders.read(folder).eval(), folders.template_of(folder), Tokenizer(folder / "tokenizer.json")
    rows = [
        np.array(tokenizer.encode(render(template, [*one["messages"], {"role": "assistant", "content": answer["text"]}])))
        for one in graded for answer in one["answers"]]
    told = []
    for at in range(0, len(rows), ROWS):
        block = rows[at : at + ROWS]
        told.append(model(padded(block, PAD), torch.tensor([len(row) - 1 for row in block])))
    return torch.cat(told).numpy()


def accuracy(told: np.ndarray, truth: np.ndarray, questions: list[range]) -> str:
    right, pairs = 0, 0
    for rows in questions:
        for i, j in itertools.combinations(rows, 2):
            if truth[i] != truth[j]:
                pairs += 1
                right += int((told[i] > told[j]) == (truth[i] > truth[j]))
    return f"{right / pairs:.3f} of {pairs}" if pairs else "-"


def main() -> None:
    path = POCKET / "build" / "held-out-answers.jsonl"
    subprocess.run(["node", str(PROGRAM), str(path)], check=True)
    graded = [json.loads(line) for line in path.read_text().splitlines()]
    bounds = np.cumsum([0, *(len(one["answers"]) for one in graded)])
    questions = [range(a, b) for a, b in itertools.pairwise(bounds)]
    half = len(questions) // 2
    grades = {
        measure: np.array([answer[measure] for one in graded for answer in one["answers"]])
        for measure in ("helpful", "harmless", "verbosity")}

    def line(name: str, head: str, told: np.ndarray, weights: dict[str, float]) -> None:
        truth = sum(weight * grades[measure] for measure, weight in weights.items())
        parts = [accuracy(told, truth, chosen) for chosen in (questions, questions[:half], questions[half:])]
        print(f"{name:12s} {head:10s} all {parts[0]}; questions {parts[1]}; requests {parts[2]}")

    heads: dict[str, list[np.ndarray]] = {}
    for entry in PLAN:
        if entry.kind != "reward":
            continue
        told = scores(entry.name, graded)
        for column, (head, weights) in enumerate(entry.heads.items()):
            line(entry.name, head, told[:, column], weights)
            heads.setdefault(head, []).append(told[:, column])
    for head, columns in heads.items():
        if len(columns) > 1:
            line("their mean", head, np.mean(columns, axis=0), {head: 1.0})


if __name__ == "__main__":
    main()
