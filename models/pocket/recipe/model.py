"""A llama-architecture model in PyTorch and its export to a Hugging Face checkpoint folder.

Rotary embedding rotates halves (as Hugging Face's llama does), the embedding is tied, attention may be grouped.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path

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

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits, [rows, length, vocabulary]."""
        x = self.embed_tokens(ids)
        if torch.is_autocast_cpu_enabled():
            x = x.to(torch.bfloat16)
        length = ids.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        mask = torch.full((length, length), -1e4, dtype=x.dtype).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def load(folder: Path) -> Llama:
    config = json.loads((folder / "config.json").read_text())
    model = Llama(Size(
        hidden=config["hidden_size"], layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"], feed_forward=config["intermediate_size"],
        vocabulary=config["vocab_size"], context=config["max_position_embeddings"],
    ))
    raw = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    state = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        data = torch.frombuffer(bytearray(raw[8 + length + start : 8 + length + end]), dtype=torch.bfloat16)
        state[name.removeprefix("model.")] = data.view(entry["shape"]).float()
    model.load_state_dict(state)
    return model


def save(model: Llama, folder: Path, begin: int, end: int, pad: int) -> None:
    """config.json, generation_config.json and model.safetensors (bfloat16)."""
    s = model.size
    folder.mkdir(parents=True, exist_ok=True)
    ids = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": pad}
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": s.hidden,
        "intermediate_size": s.feed_forward, "num_hidden_layers": s.layers, "num_attention_heads": s.heads,
        "num_key_value_heads": s.kv_heads, "head_dim": s.head, "vocab_size": s.vocabulary,
        "max_position_embeddings": s.context, "rms_norm_eps": s.eps, "rope_theta": s.theta, "rope_scaling": None,
        "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
        "initializer_range": 0.02, "torch_dtype": "bfloat16", "use_cache": True, **ids,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "generation_config.json").write_text(
        json.dumps({**ids, "do_sample": False, "max_new_tokens": 96}, indent=2) + "\n")
    header: dict = {"__metadata__": {"format": "pt"}}
    blobs, offset = [], 0
    for name, weight in model.state_dict().items():
        data = weight.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header[f"model.{name}"] = {"dtype": "BF16", "shape": list(weight.shape), "data_offsets": [offset, offset + len(data)]}
        blobs.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = folder / "model.safetensors.partial"
    temporary.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    temporary.rename(folder / "model.safetensors")
