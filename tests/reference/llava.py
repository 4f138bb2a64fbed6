"""A LLaVA forward in plain numpy and float64, and the tiny checkpoints that tests compare with it.

`python llava.py` writes clip/ and siglip/ beside this file: a checkpoint in Hugging Face's format (float32 safetensors, a projection beside it)
and golden.json with pixels, ids and logits. Knows nothing of the server. Needs numpy only.
"""

import json
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
IMAGE = 31


def gelu(x, kind):
    if kind == "quick_gelu":
        return x / (1 + np.exp(-1.702 * x))
    if kind == "gelu_pytorch_tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def erf(x):
    """By its Maclaurin series in float64, which is exact enough for |x| < 5."""
    term, total = x.copy(), x.copy()
    for n in range(1, 120):
        term = term * -(x**2) / n
        total = total + term / (2 * n + 1)
    return 2 / np.sqrt(np.pi) * total


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x, w, name, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps) * w[f"{name}.weight"] + w[f"{name}.bias"]


def rms_norm(x, scale, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * scale


def linear(x, w, name):
    y = x @ w[f"{name}.weight"].T
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def attend(q, k, v, heads, kv_heads, mask):
    length, size = len(q), q.shape[1] // heads
    q, k, v = (t.reshape(length, -1, size).transpose(1, 0, 2) for t in (q, k, v))
    k, v = (np.repeat(t, heads // kv_heads, axis=0) for t in (k, v))
    return (softmax(q @ k.transpose(0, 2, 1) / np.sqrt(size) + mask) @ v).transpose(1, 0, 2).reshape(length, -1)


def tower(pixels, w, c):
    """All hidden states: of the embeddings, then after each layer."""
    p, d = c["patch_size"], c["hidden_size"]
    at = "vision_tower.vision_model."
    side = c["image_size"] // p
    kernel = w[f"{at}embeddings.patch_embedding.weight"].reshape(d, -1)
    cut = [pixels[:, y * p : y * p + p, x * p : x * p + p].reshape(-1) for y in range(side) for x in range(side)]
    x = np.stack(cut) @ kernel.T
    clip = c["model_type"] == "clip_vision_model"
    if clip:
        x = np.concatenate([w[f"{at}embeddings.class_embedding"][None], x])
    else:
        x = x + w[f"{at}embeddings.patch_embedding.bias"]
    x = x + w[f"{at}embeddings.position_embedding.weight"]
    if clip:
        x = layer_norm(x, w, f"{at}pre_layrnorm", c["layer_norm_eps"])
    states = [x]
    for i in range(c["num_hidden_layers"]):
        l = f"{at}encoder.layers.{i}"
        h = layer_norm(x, w, f"{l}.layer_norm1", c["layer_norm_eps"])
        q, k, v = (linear(h, w, f"{l}.self_attn.{n}_proj") for n in "qkv")
        heads = c["num_attention_heads"]
        x = x + linear(attend(q, k, v, heads, heads, 0.0), w, f"{l}.self_attn.out_proj")
        h = layer_norm(x, w, f"{l}.layer_norm2", c["layer_norm_eps"])
        x = x + linear(gelu(linear(h, w, f"{l}.mlp.fc1"), c["hidden_act"]), w, f"{l}.mlp.fc2")
        states.append(x)
    return states


def features(pixels, w, config):
    layers = config["vision_feature_layer"]
    states = tower(pixels, w, config["vision_config"])
    chosen = [states[layer] for layer in (layers if isinstance(layers, list) else [layers])]
    joined = np.concatenate(chosen, axis=1)
    return joined[1:] if config["vision_feature_select_strategy"] == "default" else joined


def rotated(x, heads, theta):
    length, size = len(x), x.shape[1] // heads
    half = size // 2
    angle = np.arange(length)[:, None] * theta ** (-np.arange(half) * 2 / size)
    x = x.reshape(length, heads, size)
    a, b = x[..., :half], x[..., half:]
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1).reshape(length, -1)


def logits(ids, images, w, projector, config):
    """[length, vocabulary]: ids with as many image tokens as the images have rows, in order."""
    c = config["text_config"]
    rows = [linear(gelu(linear(features(i, w, config), projector, "multi_modal_projector.linear_1"), "gelu"),
                   projector, "multi_modal_projector.linear_2") for i in images]
    at = "language_model.model."
    x = w[f"{at}embed_tokens.weight"][ids].copy()
    if rows:
        x[np.array(ids) == IMAGE] = np.concatenate(rows)
    length, heads, kv = len(ids), c["num_attention_heads"], c["num_key_value_heads"]
    mask = np.triu(np.full((length, length), -np.inf), 1)
    for i in range(c["num_hidden_layers"]):
        l = f"{at}layers.{i}"
        h = rms_norm(x, w[f"{l}.input_layernorm.weight"], c["rms_norm_eps"])
        q, k, v = (linear(h, w, f"{l}.self_attn.{n}_proj") for n in "qkv")
        q, k = rotated(q, heads, c["rope_theta"]), rotated(k, kv, c["rope_theta"])
        x = x + linear(attend(q, k, v, heads, kv, mask), w, f"{l}.self_attn.o_proj")
        h = rms_norm(x, w[f"{l}.post_attention_layernorm.weight"], c["rms_norm_eps"])
        gate = linear(h, w, f"{l}.mlp.gate_proj")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, w, f"{l}.mlp.up_proj"), w, f"{l}.mlp.down_proj")
    return rms_norm(x, w[f"{at}norm.weight"], c["rms_norm_eps"]) @ w["language_model.lm_head.weight"].T


def configuration(kind):
    clip = kind == "clip"
    return {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_token_index": IMAGE,
        "projector_hidden_act": "gelu", "vision_feature_layer": -2 if clip else [-1, 1],
        "vision_feature_select_strategy": "default" if clip else "full", "tie_word_embeddings": False,
        "text_config": {
            "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 32, "max_position_embeddings": 128,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu"},
        "vision_config": {
            "model_type": f"{kind}_vision_model", "hidden_size": 12, "intermediate_size": 20, "num_hidden_layers": 3,
            "num_attention_heads": 2, "image_size": 12, "patch_size": 4, "hidden_act": "quick_gelu" if clip else "gelu_pytorch_tanh",
            "layer_norm_eps": 1e-5 if clip else 1e-6},
    }


def weights(config, rng):
    t, v = config["text_config"], config["vision_config"]
    w = {}

    def matrix(name, rows, columns, bias=False):
        w[f"{name}.weight"] = rng.normal(size=(rows, columns)) / np.sqrt(columns)
        if bias:
            w[f"{name}.bias"] = rng.normal(size=rows) * 0.1

    def norm(name, size, bias):
        w[f"{name}.weight"] = 1 + rng.normal(size=size) * 0.1
        if bias:
            w[f"{name}.bias"] = rng.normal(size=size) * 0.1

    at, d, p = "vision_tower.vision_model.", v["hidden_size"], v["patch_size"]
    clip = v["model_type"] == "clip_vision_model"
    w[f"{at}embeddings.patch_embedding.weight"] = rng.normal(size=(d, 3, p, p)) * 0.2
    if clip:
        w[f"{at}embeddings.class_embedding"] = rng.normal(size=d)
        norm(f"{at}pre_layrnorm", d, True)
    else:
        w[f"{at}embeddings.patch_embedding.bias"] = rng.normal(size=d) * 0.1
    tokens = (v["image_size"] // p) ** 2 + clip
    w[f"{at}embeddings.position_embedding.weight"] = rng.normal(size=(tokens, d)) * 0.3
    for i in range(v["num_hidden_layers"]):
        l = f"{at}encoder.layers.{i}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            matrix(f"{l}.self_attn.{name}", d, d, True)
        matrix(f"{l}.mlp.fc1", v["intermediate_size"], d, True)
        matrix(f"{l}.mlp.fc2", d, v["intermediate_size"], True)
        norm(f"{l}.layer_norm1", d, True)
        norm(f"{l}.layer_norm2", d, True)
    norm(f"{at}post_layernorm", d, True)
    at, h = "language_model.model.", t["hidden_size"]
    size = h // t["num_attention_heads"]
    w[f"{at}embed_tokens.weight"] = rng.normal(size=(t["vocab_size"], h))
    for i in range(t["num_hidden_layers"]):
        l = f"{at}layers.{i}"
        matrix(f"{l}.self_attn.q_proj", h, h)
        matrix(f"{l}.self_attn.k_proj", t["num_key_value_heads"] * size, h)
        matrix(f"{l}.self_attn.v_proj", t["num_key_value_heads"] * size, h)
        matrix(f"{l}.self_attn.o_proj", h, h)
        matrix(f"{l}.mlp.gate_proj", t["intermediate_size"], h)
        matrix(f"{l}.mlp.up_proj", t["intermediate_size"], h)
        matrix(f"{l}.mlp.down_proj", h, t["intermediate_size"])
        norm(f"{l}.input_layernorm", h, False)
        norm(f"{l}.post_attention_layernorm", h, False)
    norm(f"{at}norm", h, False)
    matrix("language_model.lm_head", t["vocab_size"], h)
    return {name: x.astype(np.float32) for name, x in w.items()}


def projector(config, rng):
    layers = config["vision_feature_layer"]
    width = config["vision_config"]["hidden_size"] * (len(layers) if isinstance(layers, list) else 1)
    h = config["text_config"]["hidden_size"]
    at = "multi_modal_projector."
    return {name: x.astype(np.float32) for name, x in {
        f"{at}linear_1.weight": rng.normal(size=(h, width)) / np.sqrt(width), f"{at}linear_1.bias": rng.normal(size=h) * 0.1,
        f"{at}linear_2.weight": rng.normal(size=(h, h)) / np.sqrt(h), f"{at}linear_2.bias": rng.normal(size=h) * 0.1}.items()}


def write_safetensors(path, tensors):
    header, blobs, at = {}, [], 0
    for name, x in tensors.items():
        data = x.tobytes()
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [at, at + len(data)]}
        blobs.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    for kind, seed in (("clip", 1), ("siglip", 2)):
        rng = np.random.default_rng(seed)
        config = configuration(kind)
        w, own, other = weights(config, rng), projector(config, rng), projector(config, rng)
        folder = HERE / kind
        (folder / "projections").mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        write_safetensors(folder / "model.safetensors", {**w, **own})
        write_safetensors(folder / "projections" / "negative.safetensors", other)
        exact = {name: x.astype(np.float64) for name, x in w.items()}
        sets = {"": own, "negative": other}
        images = [np.round(rng.normal(size=(3, 12, 12)), 3) for _ in range(2)]
        places = [IMAGE] * len(features(images[0], exact, config))
        prompts = [
            ([1, 7, *places, 4, 2], [0]),
            ([1, *places, 9, *places, 5, 6, 3], [0, 1]),
            ([1, *places, 9, *places, 5, 6, 3], [1, 0]),
            ([1, 2, 3, 4], []),
        ]
        cases = [
            {"ids": ids, "images": chosen, "projection": name, "logits": np.round(logits(
                ids, [images[i] for i in chosen], exact, {k: x.astype(np.float64) for k, x in sets[name].items()}, config), 5).tolist()}
            for ids, chosen in prompts for name in sets]
        golden = {"imageToken": IMAGE, "pixels": [i.flatten().tolist() for i in images], "cases": cases}
        (folder / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
