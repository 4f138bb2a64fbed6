"""A model's card and its loss curve, drawn without a plotting library."""

import json
import math
from pathlib import Path

from plan import SIZES, Entry, by_name

WIDTH, HEIGHT, MARGIN = 640, 260, 44


def curve(name: str, log: list[dict]) -> str:
    """Loss against tokens read, as SVG; the loss axis is logarithmic, so that the last gains can be seen."""
    if not log:
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"></svg>\n'
    tokens, losses = [row["tokens"] for row in log], [max(row["loss"], 1e-4) for row in log]
    low, high = math.log(min(losses) * 0.95), math.log(max(losses) * 1.05)

    def x(value: float) -> float:
        return round(MARGIN + (WIDTH - MARGIN - 12) * value / max(tokens), 1)

    def y(loss: float) -> float:
        return round(12 + (HEIGHT - MARGIN - 12) * (high - math.log(loss)) / (high - low), 1)

    # At most some two hundred points: more cannot be told apart.
    stride = max(1, len(log) // 200)
    kept = [i for i in range(len(log)) if i % stride == 0 or i == len(log) - 1]
    line = " ".join(f"{x(tokens[i])},{y(losses[i])}" for i in kept)
    ticks = [math.exp(low + (high - low) * i / 4) for i in range(5)]
    grid = "".join(
        f'<path d="M{MARGIN} {y(t)}H{WIDTH - 12}" stroke="#8884"/><text x="{MARGIN - 6}" y="{y(t) + 4}" text-anchor="end">{t:.2g}</text>'
        for t in ticks)
    feet = "".join(
        f'<text x="{x(max(tokens) * i / 4)}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{max(tokens) * i / 4e6:.2g}</text>'
        for i in range(5))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#777">\n'
        f"<title>{name}: training loss against tokens read</title>\n{grid}{feet}\n"
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 8}" text-anchor="middle">million tokens read</text>\n'
        f'<polyline points="{line}" fill="none" stroke="#2a78d6" stroke-width="1.5"/>\n</svg>\n')


def said(shares: dict[str, float]) -> str:
    total = sum(shares.values())
    return ", ".join(f"{part} {100 * share / total:.0f} %" for part, share in shares.items())


def before(entry: Entry) -> str:
    """The stages that a base model has behind it, the first one last."""
    parent = by_name(entry.parent)
    told = f"`{parent.name}` ({parent.steps:,} steps on {said(parent.shares)})"
    return told if parent.parent is None else f"{told}, itself from {before(parent)}"


def origin(entry: Entry) -> str:
    if entry.kind == "base":
        return f"from {'nothing' if entry.parent is None else before(entry)}, on raw pages of the town (shares of tokens): {said(entry.shares)}"
    if entry.kind == "tuned":
        stays = f"; held to `{entry.parent}` by KL divergence on questions of {', '.join(entry.stays)}" if entry.stays else ""
        return f"from `{entry.parent}`, on conversations of the sets {said(entry.shares)}; only the assistant's words are trained on{stays}"
    targets = "; ".join(
        f"`{head}` = {' '.join(f'{weight:+g} {measure}' for measure, weight in target.items())}" for head, target in entry.heads.items())
    return f"from a base model of its own (seed {entry.seed}), by regression on graded answers: {targets}"


def fenced(title: str, text: str) -> str:
    return f"\n{title}\n\n```\n{text}\n```\n"


def prompts(entry: Entry, build: Path) -> str:
    """What a model was taught to be asked with, where that is more than a question; the generator wrote it down."""
    told = ""
    directed = build / "preferences.json"
    if entry.name == "small-dpa" and directed.exists():
        told += fenced("Prompt template of the direction (`preferences.json` of the generator):", directed.read_text().strip())
    judging = build / "judging.json"
    if entry.name == "large" and judging.exists():
        told += fenced("Judging templates (`judging.json` of the generator):", json.dumps(json.loads(judging.read_text()), indent=2))
    return told


def text(entry: Entry, made: dict, world_hash: str, build: Path) -> str:
    s = SIZES[entry.size]
    rows = {"base": "rows of 128 tokens (every sixteenth batch: of 512)", "tuned": "rows of 128 tokens", "reward": "answers"}[entry.kind]
    optimiser = (
        f"Muon ({entry.muon_lr}) for matrices, AdamW ({entry.lr}) for the rest" if entry.muon_lr else f"AdamW ({entry.lr})")
    return f"""# {entry.name}

{made['parameters']:,} parameters: llama, {s.hidden} wide, {s.layers} layers, {s.heads} heads on {s.kv_heads} key-value heads,
feed-forward {s.feed_forward}, vocabulary {s.vocabulary}, context {s.context}, bfloat16.

| | |
| --- | --- |
| trained | {origin(entry)} |
| length | {made['steps']:,} steps of {entry.rows} {rows}, {made['tokens']:,} tokens in {made['seconds'] / 60:.1f} minutes |
| optimiser | {optimiser}; warm-up, plateau, linear decay over the last quarter |
| seed | {entry.seed} |
| last loss | {made['loss']} |
| world | `{world_hash}` |
| plan | `{made['planHash']}` |

![training loss against tokens read](loss.svg)
{fenced("Chat template:", entry.template)}{prompts(entry, build)}"""
