"""to_onnx_hf.py CKPT OUT --bits 4|8

Converts exactly the weights of a Hugging Face checkpoint (llama or qwen2) to an ONNX decoder laid out as transformers.js expects
from onnx-community repositories: OUT/{config,generation_config,tokenizer,tokenizer_config}.json and OUT/onnx/model_q4.onnx
(--bits 4), OUT/onnx/model_quantized.onnx (--bits 8, transformers.js' dtype q8), weights in
external data next to it. Inputs input_ids, attention_mask, position_ids, past_key_values.N.key/value; outputs logits,
present.N.key/value. Attention is com.microsoft GroupQueryAttention; matrices are com.microsoft MatMulNBits, block 32, symmetric.
"""
import argparse, json, os, shutil
import numpy as np
from onnx import TensorProto as T, helper as h
from ckpt import Checkpoint, head_dim, inv_freq, q4_blocks, q8_blocks, rows

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument("ckpt")
ap.add_argument("out")
ap.add_argument("--bits", type=int, default=4, choices=[4, 8])
ap.add_argument("--max-pos", type=int, default=4096, help="rows of the rotary tables (default 4096)")
a = ap.parse_args()
ck = Checkpoint(a.ckpt)
c = ck.c
H, L, A, K, F, V = (c[k] for k in "HLAKFV")
D = head_dim(c)
MS = "com.microsoft"
name = {4: "model_q4.onnx", 8: "model_quantized.onnx"}[a.bits]
os.makedirs(os.path.join(a.out, "onnx"), exist_ok=True)
data_path = os.path.join(a.out, "onnx", name + "_data")
data = open(data_path, "wb")
nodes, inits, have = [], [], set()
DT = {np.dtype(np.float32): T.FLOAT, np.dtype(np.uint8): T.UINT8, np.dtype(np.int64): T.INT64, np.dtype(np.int8): T.INT8}


def external(nm, dtype, dims, off, length):
    t = T(name=nm, data_type=dtype, dims=dims, data_location=T.EXTERNAL)
    for k, v in (("location", name + "_data"), ("offset", off), ("length", length)):
        e = t.external_data.add()
        e.key, e.value = k, str(v)
    inits.append(t)


def start_blob():
    data.write(b"\0" * ((-data.tell()) % 4096))
    return data.tell()


def const(nm, x):
    """small constants inline, large ones external"""
    if nm in have:
        return nm
    have.add(nm)
    x = np.ascontiguousarray(x)
    if x.nbytes < 1024:
        inits.append(h.make_tensor(nm, DT[x.dtype], x.shape, x.tobytes(), raw=True))
    else:
        off = start_blob()
        data.write(x.tobytes())
        external(nm, DT[x.dtype], x.shape, off, x.nbytes)
    return nm


def node(op, ins, outs, dom="", **kw):
    outs = [outs] if isinstance(outs, str) else outs
    nodes.append(h.make_node(op, ins, outs, domain=dom, name=outs[0] + "/" + op, **kw))
    return outs[0]


def quant(nm, w):
    """writes the packed matrix and its scales; returns their offsets and lengths"""
    n, k = w.shape
    off = start_blob()
    sc = []
    for r in rows(w):
        if a.bits == 4:
            q, s = q4_blocks(r)
            data.write((q[..., 0::2] | (q[..., 1::2] << 4)).tobytes())
        else:
            q, s = q8_blocks(r)
            data.write((q.astype(np.int16) + 128).astype(np.uint8).tobytes())
        sc.append(s.astype(np.float32))
    s = np.concatenate(sc)
    so = start_blob()
    data.write(s.tobytes())
    return off, n * k * a.bits // 8, so, s.nbytes


def nbits(x, nm, w, out, where=None):
    n, k = w.shape
    bo, bl, so, sl = where or quant(nm, w)
    external(nm + ".q", T.UINT8, [n, k // 32, 32 * a.bits // 8], bo, bl)
    external(nm + ".s", T.FLOAT, [n * (k // 32)], so, sl)
    return node("MatMulNBits", [x, nm + ".q", nm + ".s"], out, MS, K=k, N=n, bits=a.bits, block_size=32,
                accuracy_level=4)


def lin(x, nm, w, out, bias=None):
    mm = out if bias is None else out + "_mm"
    nbits(x, nm, w, mm)
    if bias is not None:
        node("Add", [mm, const(nm + ".bias", bias)], out)
    return out


vi = h.make_tensor_value_info
ins = [vi("input_ids", T.INT64, ["batch_size", "sequence_length"]), vi("attention_mask", T.INT64, ["batch_size", "total_sequence_length"]),
       vi("position_ids", T.INT64, ["batch_size", "sequence_length"])]
outs = [vi("logits", T.FLOAT, ["batch_size", "logits_length", V])]
freq, _ = inv_freq(c)
ang = np.outer(np.arange(a.max_pos), freq)
const("cos_cache", np.cos(ang).astype(np.float32))
const("sin_cache", np.sin(ang).astype(np.float32))
one = const("one", np.array([1], np.int64))
# lengths for GroupQueryAttention from the attention mask
node("Cast", [node("Sub", [node("ReduceSum", ["attention_mask", one], "mask_sum", keepdims=0), one], "mask_last")], "seqlens_k", to=T.INT32)
node("Cast", [node("Gather", [node("Shape", ["attention_mask"], "mask_shape"), const("idx1", np.array(1, np.int64))], "mask_total", axis=0)], "total_len", to=T.INT32)
# embedding
emb = ck.get("model.embed_tokens.weight")
head_where = quant("lm_head", emb)
bo, bl, so, sl = head_where
external("embed.q", T.UINT8, [V, H * a.bits // 8], bo, bl)
external("embed.s", T.FLOAT, [V, H // 32], so, sl)
x = node("GatherBlockQuantized", ["embed.q", "input_ids", "embed.s"], "embed", MS, bits=a.bits, block_size=32, gather_axis=0, quantize_axis=1)

res = x
W = lambda l, n: ck.get(f"model.layers.{l}.{n}")
hid = node("SimplifiedLayerNormalization", [x, const("l0.in_norm", W(0, "input_layernorm.weight"))], "l0.normed", axis=-1, epsilon=c["eps"], stash_type=1)
for l in range(L):
    p = f"l{l}."
    qkv = ["q_proj", "k_proj", "v_proj"]
    bias = ck.has(f"model.layers.{l}.self_attn.q_proj.bias")
    w = np.concatenate([W(l, f"self_attn.{n}.weight") for n in qkv])
    b = np.concatenate([W(l, f"self_attn.{n}.bias") for n in qkv]) if bias else None
    lin(hid, p + "qkv", w, p + "qkv", b)
    node("Split", [p + "qkv", const("qkv_split", np.array([A * D, K * D, K * D], np.int64))], [p + n for n in qkv], axis=-1)
    q = node("RotaryEmbedding", [p + "q_proj", "position_ids", "cos_cache", "sin_cache"], p + "q_rot", MS, num_heads=A, rotary_embedding_dim=0, interleaved=0)
    k = node("RotaryEmbedding", [p + "k_proj", "position_ids", "cos_cache", "sin_cache"], p + "k_rot", MS, num_heads=K, rotary_embedding_dim=0, interleaved=0)
    for t in ("key", "value"):
        ins.append(vi(f"past_key_values.{l}.{t}", T.FLOAT, ["batch_size", K, "past_sequence_length", D]))
        outs.append(vi(f"present.{l}.{t}", T.FLOAT, ["batch_size", K, "total_sequence_length", D]))
    node("GroupQueryAttention", [q, k, p + "v_proj", f"past_key_values.{l}.key", f"past_key_values.{l}.value", "seqlens_k", "total_len"],
         [p + "attn", f"present.{l}.key", f"present.{l}.value"], MS, num_heads=A, kv_num_heads=K, scale=float(D ** -0.5), do_rotary=0, local_window_size=-1)
    o = lin(p + "attn", p + "o", W(l, "self_attn.o_proj.weight"), p + "o")
    node("SkipSimplifiedLayerNormalization", [res, o, const(p + "post_norm", W(l, "post_attention_layernorm.weight"))],
         [p + "normed2", "", "", p + "res2"], MS, epsilon=c["eps"])
    g = lin(p + "normed2", p + "gate", W(l, "mlp.gate_proj.weight"), p + "gate")
    u = lin(p + "normed2", p + "up", W(l, "mlp.up_proj.weight"), p + "up")
    g = node("Mul", [g, node("Sigmoid", [g], p + "sig")], p + "silu")
    d = lin(node("Mul", [g, u], p + "mul"), p + "down", W(l, "mlp.down_proj.weight"), p + "down")
    last = l == L - 1
    nw = const("final_norm" if last else f"l{l+1}.in_norm", ck.get("model.norm.weight") if last else W(l + 1, "input_layernorm.weight"))
    hid = "final" if last else f"l{l+1}.normed"
    node("SkipSimplifiedLayerNormalization", [p + "res2", d, nw], [hid] + ([] if last else ["", "", p + "res"]), MS, epsilon=c["eps"])
    res = p + "res"
if c["tied"]:
    nbits(hid, "lm_head", emb, "logits", head_where)
else:
    lin(hid, "output", ck.get("lm_head.weight"), "logits")
data.close()
graph = h.make_graph(nodes, "decoder", ins, outs, inits)
m = h.make_model(graph, opset_imports=[h.make_opsetid("", 14), h.make_opsetid(MS, 1)], producer_name="peer-bench")
m.ir_version = 8
with open(os.path.join(a.out, "onnx", name), "wb") as f:
    f.write(m.SerializeToString())
for f in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "special_tokens_map.json"):
    if os.path.exists(os.path.join(a.ckpt, f)):
        shutil.copy(os.path.join(a.ckpt, f), a.out)
cfg = dict(ck.config)
old = {}
cp = os.path.join(a.out, "config.json")
if os.path.exists(cp):
    old = json.load(open(cp)).get("transformers.js_config", {}).get("use_external_data_format", {})
cfg["transformers.js_config"] = dict(use_external_data_format={**old, name: 1}, kv_cache_dtype={"q4f16": "float16", "fp16": "float16"})
json.dump(cfg, open(cp, "w"), indent=2)
print(json.dumps(dict(out=a.out, file=name, bytes=os.path.getsize(data_path), nodes=len(nodes))))
