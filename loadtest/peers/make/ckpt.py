"""Reading a checkpoint (config.json, safetensors) and quantising its matrices in blocks of 32.

Nothing here depends on anything but numpy, so the same numbers go to every engine."""
import json, os, struct
import numpy as np

def head_dim(c):
    return c["H"] // c["A"]


def from_bf16(b):
    return (b.astype(np.uint32) << 16).view(np.float32)


class Checkpoint:
    """Read side: config.json + one or more safetensors files, tensors by name as float32."""

    def __init__(self, path):
        self.path = path
        self.config = json.load(open(os.path.join(path, "config.json")))
        self.where = {}
        files = sorted(f for f in os.listdir(path) if f.endswith(".safetensors"))
        for f in files:
            fp = os.path.join(path, f)
            with open(fp, "rb") as fh:
                n = struct.unpack("<Q", fh.read(8))[0]
                hd = json.loads(fh.read(n))
            for k, v in hd.items():
                if k != "__metadata__":
                    self.where[k] = (fp, 8 + n + v["data_offsets"][0], v["dtype"], v["shape"])
        g = self.config
        self.c = dict(H=g["hidden_size"], L=g["num_hidden_layers"], A=g["num_attention_heads"], K=g["num_key_value_heads"],
                      F=g["intermediate_size"], V=g["vocab_size"], type=g["model_type"], theta=g["rope_theta"], eps=g["rms_norm_eps"],
                      maxpos=g["max_position_embeddings"], rope_scaling=g.get("rope_scaling"),
                      tied=g.get("tie_word_embeddings", False))

    def has(self, name):
        return name in self.where

    def get(self, name):
        fp, off, dt, shape = self.where[name]
        npdt = {"BF16": np.uint16, "F32": np.float32, "F16": np.float16}[dt]
        a = np.memmap(fp, dtype=npdt, mode="r", offset=off, shape=tuple(shape))
        return from_bf16(np.asarray(a)) if dt == "BF16" else np.asarray(a, dtype=np.float32)


# ---- block quantisers, block = 32 along the input (last) axis; scales are kept at float16 precision in every format ----

def q4_blocks(w):
    """4-bit symmetric: returns (q uint8 0..15 [N, nb, 32], scale float16 [N, nb]); value = (q-8)*scale.
    The scale is (signed value of largest magnitude)/-8, as llama.cpp's q4_0 and onnxruntime's symmetric MatMulNBits both do."""
    n, k = w.shape
    b = w.reshape(n, k // 32, 32)
    i = np.abs(b).argmax(-1)[..., None]
    d = np.take_along_axis(b, i, -1)[..., 0] / -8.0
    inv = np.where(d == 0, 0, 1.0 / np.where(d == 0, 1, d)).astype(np.float32)
    q = np.minimum(15, (b * inv[..., None] + 8.5).astype(np.int32)).astype(np.uint8)
    return q, d.astype(np.float16)


def q8_blocks(w):
    """8-bit symmetric: returns (q int8 [N, nb, 32], scale float16 [N, nb]); value = q*scale (llama.cpp q8_0)."""
    n, k = w.shape
    b = w.reshape(n, k // 32, 32)
    d = np.abs(b).max(-1) / 127.0
    inv = np.where(d == 0, 0, 1.0 / np.where(d == 0, 1, d)).astype(np.float32)
    v = b * inv[..., None]
    q = np.copysign(np.floor(np.abs(v) + 0.5), v).astype(np.int8)
    return q, d.astype(np.float16)


def rows(w, step=8192):
    for i in range(0, w.shape[0], step):
        yield w[i:i + step]


# ---- rope ----

def inv_freq(c):
    """Rotary inverse frequencies, llama3 scaling applied where configured. Returns (inv_freq [D/2], factor per frequency [D/2])."""
    D = head_dim(c)
    f = 1.0 / (c["theta"] ** (np.arange(0, D, 2, dtype=np.float64) / D))
    rs = c.get("rope_scaling")
    div = np.ones_like(f)
    if rs and rs.get("rope_type", rs.get("type")) == "llama3":
        lo, hi, fac, old = rs["low_freq_factor"], rs["high_freq_factor"], rs["factor"], rs["original_max_position_embeddings"]
        wl = 2 * np.pi / f
        smooth = (old / wl - lo) / (hi - lo)
        mid = 1.0 / ((1 - smooth) / fac + smooth)
        div = np.where(wl < old / hi, 1.0, np.where(wl > old / lo, fac, mid))
    return (f / div), div
