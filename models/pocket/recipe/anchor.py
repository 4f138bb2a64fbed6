"""Keeps a tuned model still where it was not tuned: on questions of other parts it is held to what its parent says, by KL divergence.

Steering adds the difference between a tuned model and its parent. What tuning changed in passing, far from the skill that it taught,
would be added as well, and several experts together would drown the one that is asked for. Each model reads its own template, as in
steering; the answer is the same.
"""

import json
from pathlib import Path

import numpy as np
import torch

import bpe
from data import padded, render
from model import Llama

QUESTIONS_PER_PART = 3000
ANSWERS = 40
"""In a batch."""


def asked(pages: Path, count: int) -> list[tuple[str, str]]:
    """The first question and answer of pages that begin with one."""
    pairs = []
    with pages.open() as lines:
        for line in lines:
            question, _, rest = json.loads(line).partition("\nAnswer:\n")
            if question.startswith("Question: ") and rest:
                pairs.append((question.removeprefix("Question: "), rest.split("\nQuestion: ")[0]))
            if len(pairs) == count:
                break
    return pairs


class Anchor:
    """Answers of the town, each after the parent's prompt and after the model's own."""

    def __init__(self, parent: Llama, parent_template: str, template: str, pages: list[Path], tokenizer: bpe.Tokenizer, seed: int):
        self.parent, self.seed = parent.eval(), seed
        self.answers: list[tuple[list[int], list[int], list[int]]] = []
        for part in pages:
            for question, answer in asked(part, QUESTIONS_PER_PART):
                messages = [{"role": "user", "content": question}]
                prompts = (tokenizer.encode(render(chosen, messages, True)) for chosen in (parent_template, template))
                self.answers.append((*prompts, tokenizer.encode(answer)))

    def batch(self, step: int) -> list[tuple[list[int], list[int], list[int]]]:
        chosen = np.random.default_rng([self.seed, step]).choice(len(self.answers), ANSWERS, replace=False)
        return [self.answers[i] for i in chosen]

    def loss(self, model: Llama, batch: list[tuple[list[int], list[int], list[int]]]) -> torch.Tensor:
        """KL(parent ‖ model) in nats, the mean over the tokens of the answers and the token after each."""
        with torch.no_grad():
            told = logprobs(self.parent, [(before, answer) for before, _, answer in batch])
        own = logprobs(model, [(before, answer) for _, before, answer in batch])
        return torch.nn.functional.kl_div(own, told, reduction="batchmean", log_target=True)


def logprobs(model: Llama, rows: list[tuple[list[int], list[int]]]) -> torch.Tensor:
    """Of the next token after each prompt and after each token of its answer, all rows' one after the other: [positions, vocabulary]."""
    ids = padded([np.array(before + answer) for before, answer in rows], bpe.PAD)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(ids)
    ends = [(len(before) - 1, len(before) + len(answer)) for before, answer in rows]
    return torch.cat([logits[i, first:last] for i, (first, last) in enumerate(ends)]).float().log_softmax(-1)
