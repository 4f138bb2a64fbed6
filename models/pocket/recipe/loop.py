"""The training loop that all models share: warm-up, plateau, decay; log, checkpoint, resume. Knows no data and no architecture."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

WARM_UP_STEPS = 50
DECAY_SHARE = 0.25
"""Share of a run, at its end, in which the learning rate falls to nothing; where the end is a time of day, of the time spent."""
LOG_EVERY = 25
CHECKPOINT_SECONDS = 120


@dataclass(frozen=True)
class Batch:
    loss: Callable[[], torch.Tensor]
    tokens: int


@dataclass(frozen=True)
class Result:
    steps: int
    tokens: int
    seconds: float
    loss: float


def rate(progress: float, step: int) -> float:
    """Factor on the peak learning rate at a share `progress` of the run."""
    return min(1.0, (step + 1) / WARM_UP_STEPS, (1 - progress) / DECAY_SHARE)


def train(
    model: nn.Module, optimisers: list[torch.optim.Optimizer], steps: int, batch: Callable[[int], Batch], *,
    name: str, identity: str, build: Path, until: float | None = None, adopts: bool = False, skip: Callable[[int], None] = lambda steps: None,
) -> Result:
    """Trains to the end of the steps, or to the moment `until` (seconds of the epoch) where that comes first.

    A checkpoint of the same `identity` (with `adopts`: of any) is gone on from; `skip(n)` then moves the data past n steps.
    """
    checkpoint = build / "checkpoints" / f"{name}.pt"
    checkpoint.parent.mkdir(exist_ok=True)
    log: list[dict] = []
    first, tokens, spent = 0, 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if adopts or state["identity"] == identity:
            model.load_state_dict(state["model"], strict=False)
            for optimiser, saved in zip(optimisers, state["optimisers"]):
                optimiser.load_state_dict(saved)
            first, tokens, spent, log = state["step"], state["tokens"], state["spent"], state["log"]
            skip(first)
            print(f"{name}: goes on at step {first}", flush=True)
    groups = [group for optimiser in optimisers for group in optimiser.param_groups]
    for group in groups:
        group.setdefault("peak", group["lr"])

    def save(step: int) -> None:
        partial = checkpoint.with_suffix(".partial")
        torch.save({
            "identity": identity, "model": model.state_dict(), "optimisers": [o.state_dict() for o in optimisers],
            "step": step, "tokens": tokens, "spent": spent, "log": log}, partial)
        os.replace(partial, checkpoint)

    # Asked to end, a run keeps what it has done since its last checkpoint.
    asked: list[int] = []
    for asking in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asking, lambda number, _frame: asked.append(number))
    recent: list[float] = []
    saved_at = at = time.time()
    step = first
    while step < steps:
        now = time.time()
        spent, at = spent + now - at, now
        progress = step / steps
        if until is not None:
            progress = max(progress, spent / (spent + max(0.0, until - now)) if spent > 0 else 0.0)
            if now >= until:
                break
        for group in groups:
            group["lr"] = group["peak"] * rate(progress, step)
        drawn = batch(step)
        loss = drawn.loss()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        tokens += drawn.tokens
        recent.append(loss.item())
        step += 1
        if step % LOG_EVERY == 0 or step == steps:
            log.append({"step": step, "tokens": tokens, "loss": round(sum(recent) / len(recent), 4), "rate": round(rate(progress, step), 3)})
            print(name, json.dumps(log[-1]), f"{tokens / max(spent, 1e-3):.0f} tokens/s", flush=True)
            recent = []
        if asked or now - saved_at > CHECKPOINT_SECONDS:
            saved_at = now
            save(step)
        if asked:
            raise SystemExit(f"{name}: ended by a signal at step {step}; started again it goes on from there")
    save(step)
    curve = build / "logs" / f"{name}.jsonl"
    curve.parent.mkdir(exist_ok=True)
    curve.write_text("".join(json.dumps(row) + "\n" for row in log))
    return Result(step, tokens, spent, log[-1]["loss"] if log else float("nan"))
