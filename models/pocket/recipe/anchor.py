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

QUESTIONS_PER_TEXT = 3000
ANSWERS = 40
"""In a batch; half as many where what comes after them counts too."""
BEYOND_TOKENS = 40
"""Of an answer and what the page goes on with, where both count."""


def question_of(document: str | list[dict], beyond: bool) -> tuple[str, str] | None:
    """The first question and its answer, of a page that begins with one or of a conversation; beyond: and the rest of the page."""
    if isinstance(document, list):
        told = [message["content"] for message in document if message["role"] != "system"]
        return told[0], told[1]
    question, _, rest = document.partition("\nAnswer:\n")
    if not question.startswith("Question: ") or not rest:
        return None
    return question.removeprefix("Question: "), rest if beyond else rest.split("\nQuestion: ")[0]


def asked(texts: Path, count: int, beyond: bool) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    with texts.open() as lines:
        for line in lines:
            pair = question_of(json.loads(line), beyond)
            if pair is not None:
                pairs.append(pair)
            if len(pairs) == count:
                break
    return pairs


class Anchor:
    """Answers of the town and the desk, each after the parent's prompt and after the model's own."""

    def __init__(self, parent: Llama, parent_template: str, template: str, texts: list[Path], tokenizer: bpe.Tokenizer, seed: int,
                 beyond: bool):
        self.parent, self.seed = parent.eval(), seed
        self.count = ANSWERS // 2 if beyond else ANSWERS

        def encoded(text: Path) -> list[tuple[list[int], list[int], list[int]]]:
            rows = []
            for question, answer in asked(text, QUESTIONS_PER_TEXT, beyond):
                messages = [{"role": "user", "content": question}]
                prompts = (tokenizer.encode(render(chosen, messages, True)) for chosen in (parent_template, template))
                rows.append((*prompts, tokenizer.encode(answer)[:BEYOND_TOKENS if beyond else None]))
            return rows

        # A text that is named several times is drawn as often, and encoded once.
        of = {text: encoded(text) for text in dict.fromkeys(texts)}
        self.answers = [row for text in texts for row in of[text]]

    def batch(self, step: int) -> list[tuple[list[int], list[int], list[int]]]:
        chosen = np.random.default_rng([self.seed, step]).choice(len(self.answers), self.count, replace=False)
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
