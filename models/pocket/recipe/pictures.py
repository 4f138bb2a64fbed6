"""Makes the vision-language model of the suite, its projections, and the DPO yardstick.

  tower      the tower alone learns what stands in each place (kind and colour): the pre-training that a CLIP tower brings along
  base       tower, projector and decoder together, on captions and questions in which hearsay names what usually goes together
  positive   a projector that learns the chosen answers of preference triples; everything else is frozen
  negative   another that learns the rejected ones; no term ties the two (arXiv:2504.08809)
  dpo        decoder and projector by direct preference optimisation on the same triples: measured, not shipped

The pictures have to be there (`node dist/models/pocket/world/pictures/main.js`). Every step goes on from its checkpoint.
`pictures.py [--only STEP …] [--pocket DIR] [--until HH:MM]`
"""

import argparse
import copy
import hashlib
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import bpe
from data import NOT_TRAINED
from loop import Batch, train
from model import Size
from optimiser import Muon
from pictures_data import Book, Encoder, Rows, START
from vision import Llava, TowerSize

POCKET = Path(__file__).resolve().parent.parent
TOWER = TowerSize()
TEXT = Size(hidden=128, layers=3, heads=4, kv_heads=4, feed_forward=320, vocabulary=1537, context=512)
KINDS = ("boat", "net", "barrel", "crate", "lamp", "bell", "crab", "fish", "flag", "house", "moon", "cart")
COLOURS = ("red", "green", "blue", "yellow", "white", "black")
PLACES = 9
ROWS = 32
LENGTH = 192
"""Of a row: the picture's 64 tokens, and four to five exchanges."""
TRIPLES_LENGTH = 176
EXCHANGES = 5
TALKS_EVERY = 8
"""Every so many steps the exchanges of a row are one conversation."""
STEPS = {"tower": 700, "base": 2400, "positive": 300, "negative": 300, "dpo": 250}
DPO_BETA = 0.1


def optimisers(model: nn.Module, lr: float = 3e-3, muon: float = 0.02) -> list[torch.optim.Optimizer]:
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in trained if p.ndim == 2 and "layers." in name]
    others = [p for name, p in trained if not (p.ndim == 2 and "layers." in name)]
    adam = torch.optim.AdamW([{"params": others, "weight_decay": 0.0}], lr=lr, betas=(0.9, 0.98), eps=1e-9, fused=True)
    return [Muon(matrices, lr=muon), adam] if matrices else [adam]


class PlaceReader(nn.Module):
    """What stands in each of the nine places, read off the patches that lie there."""

    def __init__(self, llava: Llava):
        super().__init__()
        self.tower = llava.tower
        side = TOWER.image // TOWER.patch
        centre = (torch.arange(side) + 0.5) / side * 3
        cell = centre.long()[:, None] * 3 + centre.long()[None, :]
        share = F.one_hot(cell.flatten(), PLACES).float()
        self.register_buffer("share", share / share.sum(0), persistent=False)
        self.kind, self.colour = nn.Linear(TOWER.hidden, len(KINDS) + 1), nn.Linear(TOWER.hidden, len(COLOURS) + 1)

    def forward(self, pixels: torch.Tensor, kinds: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            places = self.share.T.to(torch.bfloat16) @ self.tower(pixels)
            kind, colour = self.kind(places), self.colour(places)
        return F.cross_entropy(kind.flatten(0, 1).float(), kinds.flatten()) + F.cross_entropy(
            colour.flatten(0, 1).float(), colours.flatten())


def labels(lines: list[dict]) -> tuple[torch.Tensor, torch.Tensor]:
    kinds = [[0 if place is None else 1 + KINDS.index(place[0]) for place in line["places"]] for line in lines]
    colours = [[0 if place is None else 1 + COLOURS.index(place[1]) for place in line["places"]] for line in lines]
    return torch.tensor(kinds), torch.tensor(colours)


def told(llava: Llava, projector: nn.Module, features: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Log-probabilities [rows, length] of the targets; 0 where there is none."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = llava(projector(features), rows.ids, rows.positions, rows.mask, START)
        logits = llava.logits(hidden)
    loss = F.cross_entropy(logits.flatten(0, 1).float(), rows.targets.flatten(), ignore_index=NOT_TRAINED, reduction="none")
    return -loss.view(rows.targets.shape)


class Lessons:
    """Batches of the book of lessons: the same step always draws the same."""

    def __init__(self, book: Book, encoder: Encoder):
        self.book, self.encoder = book, encoder

    def rows(self, step: int) -> Rows:
        rng = np.random.default_rng([2, step])
        chosen = rng.integers(0, len(self.book), ROWS)

        def some(line: dict) -> list[tuple[str, str]]:
            texts = line["texts"]
            others = rng.permutation(len(texts) - 1)[: EXCHANGES - 1] + 1
            return [(texts[i]["question"], texts[i]["answer"]) for i in rng.permutation([0, *others])]

        exchanges = [some(self.book.lines[i]) for i in chosen]
        return self.encoder.rows(self.book.images(chosen), exchanges, LENGTH, step % TALKS_EVERY != 0)


class Triples:
    def __init__(self, book: Book, encoder: Encoder, llava: Llava):
        self.book, self.encoder = book, encoder
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            parts = np.array_split(np.arange(len(book)), max(1, len(book) // 100))
            self.features = torch.cat([llava.tower(book.images(part)) for part in parts])

    def rows(self, step: int, sides: tuple[str, ...], count: int) -> tuple[torch.Tensor, list[Rows]]:
        chosen = np.random.default_rng([3, step]).integers(0, len(self.book), count)
        return self.features[torch.from_numpy(chosen)], [
            self.encoder.rows(
                self.features[:0], [[(t["question"], t[side]) for t in self.book.lines[i]["texts"]] for i in chosen],
                TRIPLES_LENGTH)
            for side in sides]


def dpo_loss(llava: Llava, reference: Llava, features: torch.Tensor, chosen: Rows, rejected: Rows) -> torch.Tensor:
    """Per exchange −log σ(β (Δchosen − Δrejected)), Δ the log-ratio to the reference."""

    def ratios(rows: Rows) -> torch.Tensor:
        with torch.no_grad():
            before = told(reference, reference.projector, features, rows)
        return told(llava, llava.projector, features, rows) - before

    def sums(rows: Rows) -> torch.Tensor:
        ends = (rows.targets == bpe.END).long()
        part = ends.cumsum(1) - ends
        return torch.zeros(len(part), 6).scatter_add(1, part.clamp(max=5), ratios(rows)), (ends.sum(1))

    (good, count), (bad, other) = sums(chosen), sums(rejected)
    kept = torch.arange(6)[None, :] < torch.minimum(count, other)[:, None]
    return -F.logsigmoid(DPO_BETA * (good - bad))[kept].mean()


class Maker:
    def __init__(self, pocket: Path, until: float | None):
        self.build = pocket / "build"
        self.until = until
        folder = self.build / "pictures"
        note = json.loads((folder / "pictures.json").read_text())
        self.hash, self.folder, self.size = note["hash"], folder, note["size"]
        tokenizer = bpe.Tokenizer(pocket / "large" / "tokenizer.json")
        self.encoder = Encoder(tokenizer, TOWER.patches)
        self.made = self.build / "pictures" / "made"
        self.made.mkdir(exist_ok=True)

    def identity(self, step: str) -> str:
        return hashlib.sha256(json.dumps([self.hash, step, STEPS, TOWER.__dict__, TEXT.__dict__]).encode()).hexdigest()

    def path(self, step: str) -> Path:
        return self.made / f"{step}.pt"

    def load(self, module: nn.Module, step: str) -> None:
        module.load_state_dict(torch.load(self.path(step), weights_only=True)["state"])

    def run(self, step: str, module: nn.Module, opts: list, batch: Callable[[int], Batch]) -> None:
        result = train(module, opts, STEPS[step], batch, name=f"vl-{step}", identity=self.identity(step), build=self.build,
                       until=self.until)
        torch.save({"state": module.state_dict(), "steps": result.steps, "seconds": round(result.seconds), "loss": result.loss,
                    "tokens": result.tokens, "finished": time.strftime("%Y-%m-%d %H:%M"), "hash": self.hash}, self.path(step))

    def tower(self) -> None:
        book = Book(self.folder, "lessons", self.size)
        reader = PlaceReader(Llava(TOWER, TEXT))
        loss_of = torch.compile(reader, dynamic=False)

        def batch(step: int) -> Batch:
            chosen = np.random.default_rng([1, step]).integers(0, len(book), 64)
            pixels, (kinds, colours) = book.images(chosen), labels([book.lines[i] for i in chosen])
            return Batch(lambda: loss_of(pixels, kinds, colours), len(chosen) * TOWER.patches)

        self.run("tower", reader, optimisers(reader), batch)

    def base(self) -> None:
        lessons = Lessons(Book(self.folder, "lessons", self.size), self.encoder)
        llava = Llava(TOWER, TEXT)
        reader = PlaceReader(llava)
        self.load(reader, "tower")

        def loss(rows: Rows) -> torch.Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                features = llava.tower(rows.pixels)
            return -told(llava, llava.projector, features, rows).sum() / (rows.targets != NOT_TRAINED).sum()

        compiled = torch.compile(loss, dynamic=False)

        def batch(step: int) -> Batch:
            rows = lessons.rows(step)
            return Batch(lambda: compiled(rows), int((rows.ids != bpe.PAD).sum()))

        # At the tower's rates the loss stays at 0.2 until they fall.
        self.run("base", llava, optimisers(llava, lr=1.5e-3, muon=0.01), batch)

    def llava(self) -> Llava:
        llava = Llava(TOWER, TEXT)
        self.load(llava, "base")
        return llava

    def projection(self, step: str, side: str, lr: float) -> None:
        llava = self.llava()
        triples = Triples(Book(self.folder, "preferences", self.size), self.encoder, llava)
        projector = copy.deepcopy(llava.projector)
        llava.requires_grad_(False)

        def loss(features: torch.Tensor, rows: Rows) -> torch.Tensor:
            return -told(llava, projector, features, rows).sum() / (rows.targets != NOT_TRAINED).sum()

        def batch(step: int) -> Batch:
            features, (rows,) = triples.rows(step, (side,), ROWS)
            return Batch(lambda: loss(features, rows), int((rows.ids != bpe.PAD).sum()))

        self.run(step, projector, optimisers(projector, lr=lr), batch)

    def dpo(self) -> None:
        llava, reference = self.llava(), self.llava().requires_grad_(False)
        triples = Triples(Book(self.folder, "preferences", self.size), self.encoder, reference)
        llava.tower.requires_grad_(False)

        def batch(step: int) -> Batch:
            features, (chosen, rejected) = triples.rows(step, ("chosen", "rejected"), ROWS // 2)
            return Batch(lambda: dpo_loss(llava, reference, features, chosen, rejected), int((chosen.ids != bpe.PAD).sum()))

        trained = [p for p in llava.parameters() if p.requires_grad]
        self.run("dpo", llava, [torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0)], batch)

    def make(self, step: str) -> None:
        if self.path(step).exists() and torch.load(self.path(step), weights_only=True)["hash"] == self.hash:
            return
        torch.manual_seed(1)
        match step:
            case "tower": self.tower()
            case "base": self.base()
            # Triples have no word on places and numbers: at the rate that makes the negative projection telling, the positive one forgets them.
            case "positive": self.projection("positive", "chosen", lr=1.5e-4)
            case "negative": self.projection("negative", "rejected", lr=2e-3)
            case "dpo": self.dpo()
        print(f"{step}: made", flush=True)


def deadline(text: str) -> float:
    hour, minute = map(int, text.split(":"))
    return datetime.now().replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(STEPS), choices=list(STEPS), metavar="STEP")
    parser.add_argument("--pocket", type=Path, default=POCKET, help="the folder with build/ and large/tokenizer.json")
    parser.add_argument("--until", type=deadline, metavar="HH:MM", help="the steps that are asked for end by then")
    args = parser.parse_args()
    torch.set_num_threads(1)
    maker = Maker(args.pocket, args.until)
    for step in args.only:
        maker.make(step)


if __name__ == "__main__":
    main()
