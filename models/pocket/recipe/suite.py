"""Builds the suite: `suite.py` makes every model of plan.py that is missing or out of date, parents first, and publishes what ships.

The world's text has to be there (`node dist/models/pocket/world/main.js`). Models are made in ../build/models; those that ship are
copied beside it, with their cards, when they are finished. A run that was killed goes on from its last checkpoint when it is started
again. Two runs at once share the work: each takes models that the other has not.

  suite.py --list                what would be made, and how long it takes on this machine's figures
  suite.py --only NAME …         only these
  suite.py --until 21:40         learning rates fall to nothing by then, however few steps were done (for one long model)
  suite.py --skip NAME …         all but these and their children
"""

import argparse
import fcntl
import hashlib
import json
import shutil
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import torch

import bpe
import card
from plan import PLAN, TOKENIZER_TEXTS, VOCABULARY, Entry, by_name, plan_hash, texts_of
from train import build_model

POCKET = Path(__file__).resolve().parent.parent
TOKENS_PER_SECOND = {"large": 15_000, "small": 50_000, "reward": 60_000}
"""On one core with bfloat16 matrix products (avx512_bf16 or amx); only --list reads it."""
TOKENS_PER_ROW = {"base": 128, "tuned": 128, "reward": 60}
DOCUMENTS_PER_TEXT = 8000


def make_tokenizer(build: Path) -> None:
    """Of pages and conversations in equal numbers of each part, so that few words of any are spelt out letter by letter."""
    words: Counter = Counter()
    for texts in (build / text for text in TOKENIZER_TEXTS):
        with texts.open() as lines:
            for _, line in zip(range(DOCUMENTS_PER_TEXT), lines):
                document = json.loads(line)
                text = document if isinstance(document, str) else "\n".join(m["content"] for m in document)
                words.update(bpe.words_of(text))
    # Letters that stand apart are tokens of their own, however rare: the cipher is about letters.
    for letter in "abcdefghijklmnopqrstuvwxyz":
        words[f" {letter}"] += 1_000_000
    vocabulary, merges = bpe.train(words, VOCABULARY)
    bpe.write(build / "tokenizer.json", vocabulary, merges)
    print(f"tokenizer: {len(vocabulary)} tokens")


def ensure_tokenizer(pocket: Path, anew: bool) -> None:
    """The shipped one, so that models of one suite share it though the text is changed after the first of them; `anew` makes it."""
    made, shipped = pocket / "build" / "tokenizer.json", pocket / "large" / "tokenizer.json"
    with (pocket / "build" / "tokenizer.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if anew or not (made.exists() or shipped.exists()):
            make_tokenizer(pocket / "build")
        elif not made.exists():
            shutil.copy(shipped, made)


def registry(pocket: Path) -> dict[str, dict]:
    path = pocket / "models.json"
    return json.loads(path.read_text())["models"] if path.exists() else {}


def made_folder(entry: Entry, pocket: Path) -> Path | None:
    """Where the finished model lies, if it was made from today's text and plan: built here, or shipped."""
    build = pocket / "build"
    wanted = plan_hash(entry, build)
    built = build / "models" / entry.name
    made = built / "made.json"
    if made.exists() and json.loads(made.read_text())["planHash"] == wanted:
        return built
    if registry(pocket).get(entry.name, {}).get("planHash") == wanted:
        return pocket / entry.name
    return None


def publish(entry: Entry, pocket: Path) -> dict:
    """Copies a finished model out of build/ with its card and its curve; returns its entry in models.json."""
    build = pocket / "build"
    source, target = build / "models" / entry.name, pocket / entry.name
    made = json.loads((source / "made.json").read_text())
    world = json.loads((build / "world.json").read_text())
    log = [json.loads(line) for line in (build / "logs" / f"{entry.name}.jsonl").read_text().splitlines()]
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("made.json"))
    (target / "loss.svg").write_text(card.curve(entry.name, log))
    (target / "README.md").write_text(card.text(entry, made, world["worldHash"], build))
    weights = hashlib.sha256((target / "model.safetensors").read_bytes()).hexdigest()
    return {"sha256": weights, "worldHash": world["worldHash"], "planHash": made["planHash"]}


def publish_all(pocket: Path) -> None:
    """All or none: the members of a suite share a tokenizer, and half a suite would serve two. Nothing, if nothing was built here."""
    shipping = [entry for entry in PLAN if entry.ships]
    missing = [entry.name for entry in shipping if made_folder(entry, pocket) is None]
    if missing:
        print(f"not published before these are made: {', '.join(missing)}")
        return
    models = registry(pocket)
    for entry in shipping:
        if made_folder(entry, pocket) == pocket / "build" / "models" / entry.name:
            models[entry.name] = publish(entry, pocket)
    world = json.loads((pocket / "build" / "world.json").read_text())["worldHash"]
    ordered = {entry.name: models[entry.name] for entry in shipping}
    # The pictures' model has an entry of its own (pictures_folder.py).
    kept = json.loads((pocket / "models.json").read_text()) if (pocket / "models.json").exists() else {}
    (pocket / "models.json").write_text(json.dumps({**kept, "world": world, "models": ordered}, indent=2) + "\n")


def minutes(entry: Entry) -> float:
    return entry.steps * entry.rows * TOKENS_PER_ROW[entry.kind] / TOKENS_PER_SECOND[entry.size] / 60


def lacking(entry: Entry, build: Path) -> list[str]:
    """The texts of a model that the generator has not written."""
    return [text for text in texts_of(entry) if not (build / text).exists()]


def attempt(entry: Entry, pocket: Path, until: float | None, adopts: bool) -> bool:
    """Makes one model; false where another run is at it."""
    build = pocket / "build"
    (build / "locks").mkdir(exist_ok=True)
    with (build / "locks" / entry.name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if made_folder(entry, pocket) is None:
            parent = made_folder(by_name(entry.parent), pocket) if entry.parent else None
            target = build / "models" / entry.name
            made = build_model(entry, build, parent, target, until, adopts)
            (target / "made.json").write_text(json.dumps(made, indent=2) + "\n")
            (build / "checkpoints" / f"{entry.name}.pt").unlink()
            print(f"{entry.name}: made in {made['seconds']} s, loss {made['loss']}", flush=True)
        return True


def make_all(wanted: list[Entry], pocket: Path, until: float | None, adopts: bool) -> None:
    for entry in wanted:
        if lacking(entry, pocket / "build"):
            sys.exit(f"{entry.name} is trained on texts that are not there: {', '.join(lacking(entry, pocket / 'build'))}")
    left = [entry for entry in wanted if made_folder(entry, pocket) is None]
    while left:
        ready = [e for e in left if e.parent is None or made_folder(by_name(e.parent), pocket) is not None]
        if not ready and not any(e.parent in {w.name for w in left} for e in left):
            sys.exit(f"their parents are neither made nor asked for: {', '.join(f'{e.name} ({e.parent})' for e in left)}")
        for entry in ready:
            if attempt(entry, pocket, until, adopts):
                break
        else:
            time.sleep(5)
        left = [entry for entry in left if made_folder(entry, pocket) is None]


def deadline(text: str) -> float:
    """The next moment that the clock shows HH:MM, in seconds of the epoch."""
    hour, minute = map(int, text.split(":"))
    moment = datetime.now().replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
    return moment if moment > time.time() else moment + 24 * 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[entry.name for entry in PLAN], metavar="NAME")
    parser.add_argument("--skip", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--until", type=deadline, metavar="HH:MM")
    parser.add_argument("--adopt", action="store_true", help="go on from a checkpoint though its text or plan was another")
    parser.add_argument("--tokenizer", action="store_true", help="make the tokenizer anew, and with it every model")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; two runs of one thread are faster than one of two")
    parser.add_argument("--pocket", type=Path, default=POCKET, help="the folder with build/ (default: beside this one)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if not (args.pocket / "build" / "world.json").exists():
        sys.exit(f"{args.pocket / 'build'} has no text: run `node dist/models/pocket/world/main.js` first")
    ensure_tokenizer(args.pocket, args.tokenizer)

    def skipped(entry: Entry) -> bool:
        return entry.name in args.skip or (entry.parent is not None and skipped(by_name(entry.parent)))

    wanted = [entry for entry in map(by_name, args.only) if not skipped(entry)]
    if args.list:
        for entry in wanted:
            state = "made" if made_folder(entry, args.pocket) else f"{minutes(entry):.1f} min"
            if lacking(entry, args.pocket / "build"):
                state = "no text"
            print(f"{entry.name:18s} {entry.kind:7s} {entry.parent or '-':15s} {entry.steps:6d} steps  {state}")
        return
    make_all(wanted, args.pocket, args.until, args.adopt)
    publish_all(args.pocket)


if __name__ == "__main__":
    main()
