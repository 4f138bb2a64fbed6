"""A llama-architecture model in PyTorch, and the same with scores in place of a vocabulary. folder.py reads and writes them.

Rotary embedding rotates halves (as Hugging Face's llama does), the embedding is tied, attention may be grouped.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Size:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int = 1280
    context: int = 512
    eps: float = 1e-5
    theta: float = 10000.0

    @property
    def head(self) -> int:
        return self.hidden // self.heads


class Norm(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size.hidden))
        self.eps = size.eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


class Attention(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        self.q_proj = nn.Linear(size.hidden, size.heads * size.head, bias=False)
        self.k_proj = nn.Linear(size.hidden, size.kv_heads * size.head, bias=False)
        self.v_proj = nn.Linear(size.hidden, size.kv_heads * size.head, bias=False)
        self.o_proj = nn.Linear(size.heads * size.head, size.hidden, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, length, _ = x.shape
        s = self.size

        def heads(t: torch.Tensor, n: int) -> torch.Tensor:
            return t.view(rows, length, n, s.head).transpose(1, 2)

        def rotate(t: torch.Tensor) -> torch.Tensor:
            a, b = t.chunk(2, dim=-1)
            return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)

        q = rotate(heads(self.q_proj(x), s.heads))
        k = rotate(heads(self.k_proj(x), s.kv_heads))
        v = heads(self.v_proj(x), s.kv_heads)
        group = s.heads // s.kv_heads
        if group > 1:
            k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        # Written out: PyTorch's fused attention has a slow backward pass on the CPU (half of a whole step here).
        scores = (q * s.head**-0.5) @ k.mT + mask
        y = scores.softmax(dim=-1, dtype=x.dtype) @ v
        return self.o_proj(y.transpose(1, 2).reshape(rows, length, -1))


class FeedForward(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.gate_proj = nn.Linear(size.hidden, size.feed_forward, bias=False)
        self.up_proj = nn.Linear(size.hidden, size.feed_forward, bias=False)
        self.down_proj = nn.Linear(size.feed_forward, size.hidden, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.input_layernorm = Norm(size)
        self.self_attn = Attention(size)
        self.post_attention_layernorm = Norm(size)
        self.mlp = FeedForward(size)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, size: Size):
        super().__init__()
        self.size = size
        self.embed_tokens = nn.Embedding(size.vocabulary, size.hidden)
        self.layers = nn.ModuleList(Layer(size) for _ in range(size.layers))
        self.norm = Norm(size)
        frequency = size.theta ** (-torch.arange(0, size.head, 2).float() / size.head)
        angle = torch.arange(size.context).float()[:, None] * frequency[None, :]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * size.layers) ** 0.5 if deep else 0.02)

    def hidden(self, ids: torch.Tensor) -> torch.Tensor:
        """The normalised last states, [rows, length, hidden]."""
        x = self.embed_tokens(ids)
        if torch.is_autocast_cpu_enabled():
            x = x.to(torch.bfloat16)
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        mask = torch.full((length, length), -1e4, dtype=x.dtype).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, [rows, length, vocabulary]."""
        return F.linear(self.hidden(ids), self.embed_tokens.weight)


class Scorer(nn.Module):
    """A llama with a linear head in place of the vocabulary's: LlamaForSequenceClassification, read at the last token of a row."""

    def __init__(self, body: Llama, heads: tuple[str, ...]):
        super().__init__()
        self.model, self.heads = body, heads
        self.score = nn.Linear(body.size.hidden, len(heads), bias=False)
        nn.init.normal_(self.score.weight, std=0.02)

    @property
    def size(self) -> Size:
        return self.model.size

    def forward(self, ids: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Scores, [rows, heads]; `last` has the position of each row's last token."""
        return self.score(self.model.hidden(ids)[torch.arange(len(ids)), last])
