"""A LLaVA-architecture model in PyTorch: CLIP's vision tower, a two-layer projector and the llama of model.py. folder.py's neighbour.

Names of parameters are Hugging Face's below `vision_tower.vision_model.`, `multi_modal_projector.` and `language_model.model.`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from model import Llama, Size


@dataclass(frozen=True)
class TowerSize:
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 320
    image: int = 64
    patch: int = 8
    eps: float = 1e-5

    @property
    def patches(self) -> int:
        return (self.image // self.patch) ** 2


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


class TowerAttention(nn.Module):
    def __init__(self, size: TowerSize):
        super().__init__()
        self.heads = size.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(size.hidden, size.hidden) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, length, hidden = x.shape

        def split(t: torch.Tensor) -> torch.Tensor:
            return t.view(rows, length, self.heads, -1).transpose(1, 2)

        q, k, v = split(self.q_proj(x)), split(self.k_proj(x)), split(self.v_proj(x))
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        return self.out_proj((scores.softmax(-1, dtype=x.dtype) @ v).transpose(1, 2).reshape(rows, length, hidden))


class TowerMlp(nn.Module):
    def __init__(self, size: TowerSize):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size.hidden, size.feed_forward), nn.Linear(size.feed_forward, size.hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(quick_gelu(self.fc1(x)))


class TowerLayer(nn.Module):
    def __init__(self, size: TowerSize):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(size.hidden, size.eps), nn.LayerNorm(size.hidden, size.eps)
        self.self_attn, self.mlp = TowerAttention(size), TowerMlp(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class Embeddings(nn.Module):
    def __init__(self, size: TowerSize):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(size.hidden) * 0.02)
        self.patch_embedding = nn.Conv2d(3, size.hidden, size.patch, size.patch, bias=False)
        self.position_embedding = nn.Embedding(size.patches + 1, size.hidden)
        nn.init.normal_(self.position_embedding.weight, std=0.02)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.patch_embedding(pixels).flatten(2).mT
        marked = torch.cat([self.class_embedding.to(patches.dtype).expand(len(pixels), 1, -1), patches], 1)
        return marked + self.position_embedding.weight.to(patches.dtype)


class Tower(nn.Module):
    """Its last layer's states, before post_layernorm, without the class token: vision_feature_layer -1, select strategy "default"."""

    def __init__(self, size: TowerSize):
        super().__init__()
        self.size = size
        self.embeddings = Embeddings(size)
        self.pre_layrnorm = nn.LayerNorm(size.hidden, size.eps)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(TowerLayer(size) for _ in range(size.layers))
        self.post_layernorm = nn.LayerNorm(size.hidden, size.eps)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers:
            x = layer(x)
        return x[:, 1:]


class Projector(nn.Module):
    def __init__(self, tower: int, hidden: int):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(tower, hidden), nn.Linear(hidden, hidden)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.linear_2(F.gelu(self.linear_1(features)))


class Llava(nn.Module):
    def __init__(self, tower: TowerSize, text: Size):
        super().__init__()
        self.tower = Tower(tower)
        self.projector = Projector(tower.hidden, text.hidden)
        self.text = Llama(text)

    def forward(
        self, images: torch.Tensor, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, start: int
    ) -> torch.Tensor:
        """The normalised last states, [rows, length, hidden]; `images` [rows, patches, hidden] stand from position `start` on."""
        x = self.text.embed_tokens(ids).to(images.dtype)
        x = torch.cat([x[:, :start], images, x[:, start + images.shape[1] :]], 1)
        cos, sin = (table[positions].to(x.dtype)[:, None] for table in (self.text.cos, self.text.sin))
        for layer in self.text.layers:
            x = layer(x, cos, sin, mask)
        return self.text.norm(x)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return F.linear(hidden, self.text.embed_tokens.weight)
