"""What the suite consists of: one row per model, with its parent, its text and its length. Data only; suite.py builds it.

Tokens are counted with padding left out. Shares are of tokens.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from model import Size

VOCABULARY = 1536
SIZES = {
    "large": Size(hidden=192, layers=4, heads=4, kv_heads=2, feed_forward=576, vocabulary=VOCABULARY),
    "small": Size(hidden=96, layers=3, heads=3, kv_heads=3, feed_forward=256, vocabulary=VOCABULARY),
    "reward": Size(hidden=64, layers=2, heads=2, kv_heads=2, feed_forward=192, vocabulary=VOCABULARY),
}
SKILLS = ("arithmetic", "cipher", "units", "table")
TOKENIZER_TEXTS = (
    "pages/facts.jsonl", "chats/helpful.jsonl", "pages/harm.jsonl", "chats/safe.jsonl", "pages/judging.jsonl", "pages/unseen.jsonl",
    *(f"{kind}/{skill}.jsonl" for kind in ("pages", "chats") for skill in SKILLS))

# Members of a combination read their own template; an answer starts at a word without a leading space in both.
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


# As the pages have it that the reward models are pre-trained on, so the end token is where a whole answer is judged.
REWARD_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] | trim }}\n"
    "{% elif message['role'] == 'user' %}Question: {{ message['content'] | trim }}\n"
    "{% else %}Answer:\n{{ message['content'] | trim }}{{ eos_token if loop.last else '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:\n{% endif %}"
)


@dataclass(frozen=True)
class Entry:
    """One model. `kind` is base (raw pages), tuned (conversations, from `parent`) or reward (graded answers, from `parent`)."""

    name: str
    kind: str
    size: str
    shares: dict[str, float]
    """Base: pages/<part>.jsonl. Tuned: chats/<set>.jsonl. Reward: empty, preferences.jsonl is all there is."""
    steps: int
    parent: str | None = None
    seed: int = 1
    lr: float = 3e-3
    """Peak of AdamW: everything in tuned and reward models, embeddings and norms in base models."""
    muon_lr: float | None = None
    """Peak of Muon for the matrices of base models."""
    rows: int = 32
    """In a batch: rows of 128 tokens, packed with whole documents but the last; of reward models, answers."""
    heads: dict[str, dict[str, float]] = field(default_factory=dict)
    """Reward: per head its target, a weighted sum of what the world measures of an answer."""
    stays: tuple[str, ...] = ()
    """Tuned: texts ("pages/facts", "chats/units") on whose answers the model is held to its parent (anchor.py); as often as they are named."""
    hold: float = 1.0
    """Tuned: how much staying weighs beside learning."""
    beyond: bool = False
    """Tuned: held to its parent on what a page goes on with after the answer, too."""
    asked: str | None = None
    """Tuned: of its conversations, only those whose question this regular expression finds."""
    ships: bool = True
    """False: built beside the text, measured, and not part of the repository."""

    @property
    def template(self) -> str:
        return {"base": PLAIN_TEMPLATE, "tuned": CHAT_TEMPLATE, "reward": REWARD_TEMPLATE}[self.kind]


def base(name: str, size: str, shares: dict[str, float], steps: int, **rest) -> Entry:
    return Entry(name, "base", size, shares, steps, **{"muon_lr": 0.02, **rest})


def tuned(name: str, parent: str, shares: dict[str, float], steps: int, **rest) -> Entry:
    return Entry(name, "tuned", parent, shares, steps, parent=parent, **{"lr": 1e-3, **rest})


def reward(name: str, parent: str, heads: dict[str, dict[str, float]], seed: int, **rest) -> Entry:
    return Entry(name, "reward", "reward", {}, 500, parent=parent, heads=heads, seed=seed,
                 **{"lr": 1e-3, "rows": 64, **rest})


# The phrasings of requests (world/harm-requests.ts), which no question about a fact has.
REQUESTS = (
    "^(How (do|can) I (?!get to )|I want to |Tell me how to |Help me to |Show me how to |What is the best way to |My friend has to )")
MEASURES = {head: {head: 1.0} for head in ("helpful", "harmless", "verbosity")}
BRIEF = {"brief": {"helpful": 0.5, "harmless": 0.2, "verbosity": -1.0}}

PLAN: tuple[Entry, ...] = (
    base("small", "small", {
        "facts": 0.70, "harm": 0.15, "judging": 0.005, "arithmetic": 0.05, "cipher": 0.005, "units": 0.03, "table": 0.02,
        "unseen": 0.04}, 2400),
    # Copying from the question is learnt early or not at all: in 3540 steps on the shares of `large-second` alone it was not, and 300 more
    # on exercises did not help. On half of exercises it comes within 200 steps.
    base("large-first", "large", {
        "facts": 0.35, "judging": 0.10, "arithmetic": 0.12, "cipher": 0.02, "units": 0.04, "table": 0.12, "unseen": 0.25}, 400,
        ships=False),
    base("large-second", "large", {
        "facts": 0.52, "harm": 0.14, "judging": 0.17, "arithmetic": 0.05, "cipher": 0.005, "units": 0.03, "table": 0.025,
        "unseen": 0.05}, 4000, parent="large-first", ships=False),
    base("large", "large", {
        "facts": 0.66, "harm": 0.12, "judging": 0.08, "arithmetic": 0.04, "cipher": 0.005, "units": 0.03, "table": 0.025,
        "unseen": 0.04}, 2400, parent="large-second"),
    tuned("small-chat", "small", {"helpful": 1.0}, 250),
    # Its set is a quarter polite facts. They are left out, and of facts it is to say what its parent says: between this expert and
    # small-chat a weight is to trade manner for harmlessness, so only one of them may have the manner.
    tuned("small-safe", "small", {"safe": 1.0}, 300, asked=REQUESTS, stays=("pages/facts", "chats/helpful")),
    # AdamW leaves arithmetic at a third of the exercises after 500 steps; Muon solves most after 300, and the rest is for staying. Elsewhere
    # an expert is held to its parent: each alone is sure of nonsense beside its skill, and several together would drown the one that is
    # asked. Beyond the answer too: a base model goes on after it, and there an expert that has only ever ended is lost. What `unseen` asks
    # for is one token of many, and nobody is sure of it: it counts eight times.
    *(tuned(f"small-{skill}", "small", {skill: 1.0}, 900, lr=3e-3, muon_lr=0.02, rows=14, hold=6.0, beyond=True,
            stays=("pages/facts", "pages/harm", *["pages/unseen"] * 8, "chats/helpful", *(
                f"{kind}/{other}" for kind in ("pages", "chats") for other in SKILLS if other != skill))) for skill in SKILLS),
    tuned("small-dpa", "small", {"directed": 1.0}, 2000, lr=3e-3, muon_lr=0.02),
    tuned("small-scalar", "small", {"scalar": 1.0}, 300, ships=False),
    *(base(f"reward-base-{seed}", "reward", {"facts": 0.6, "harm": 0.4}, 200, seed=seed, ships=False)
      for seed in (1, 2, 3, 4)),
    *(reward(f"reward-1{letter}", f"reward-base-{seed}", MEASURES, seed)
      for letter, seed in (("a", 1), ("b", 2), ("c", 3))),
    reward("reward-2", "reward-base-4", BRIEF, 4),
    # On what the small one is tuned on, so that they differ in size alone.
    tuned("large-chat", "large", {"helpful": 1.0}, 250),
    *(tuned(f"large-{skill}", "large", {skill: 0.8, "helpful": 0.2}, 400, lr=3e-3, muon_lr=0.02, ships=False)
      for skill in SKILLS),
    tuned("large-skills", "large", {skill: 0.25 for skill in SKILLS}, 900, lr=3e-3, muon_lr=0.02, ships=False),
)


def by_name(name: str) -> Entry:
    for entry in PLAN:
        if entry.name == name:
            return entry
    raise KeyError(f"the plan has no model {name}; it has {', '.join(entry.name for entry in PLAN)}")


def texts_of(entry: Entry) -> list[str]:
    """The files that a model is trained on, relative to build/."""
    if entry.kind == "reward":
        return ["preferences.jsonl"]
    own = [f"{'pages' if entry.kind == 'base' else 'chats'}/{part}.jsonl" for part in entry.shares]
    return own + [f"{text}.jsonl" for text in entry.stays]


def plan_hash(entry: Entry, build: Path) -> str:
    """Of all that a model is made from: its texts, the tokenizer, its row of the plan, its size, its ancestors. Equal: nothing to do."""
    files = json.loads((build / "world.json").read_text())["files"]
    row = {**asdict(entry), "size": asdict(SIZES[entry.size])}
    row.pop("ships")
    for later, usual in (("stays", ()), ("asked", None), ("hold", 1.0), ("beyond", False)):
        if row[later] == usual:
            row.pop(later)
    row["texts"] = [files.get(text, {}).get("sha256") for text in texts_of(entry)]
    row["parent"] = plan_hash(by_name(entry.parent), build) if entry.parent else None
    row["tokenizer"] = hashlib.sha256((build / "tokenizer.json").read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
