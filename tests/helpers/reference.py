"""The transformer in float64 NumPy, written from the papers.

It reads the parameters of lm_jax.models by name, and shares no code with it.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import xlnet_reference
from scipy import special

from lm_jax.types import NEVER


def norm(trunk, p, x):
  """LayerNorm (Ba et al. 2016, eq. 4) or RMSNorm (Zhang, Sennrich, eq. 4)."""
  if trunk.norm == "rmsnorm":
    rms = np.sqrt((x**2).mean(-1, keepdims=True) + trunk.norm_epsilon)
    return x / rms * p["scale"]
  deviation = np.sqrt(x.var(-1, keepdims=True) + trunk.norm_epsilon)
  x = (x - x.mean(-1, keepdims=True)) / deviation * p["scale"]
  return x + p["bias"] if trunk.norm_bias else x


def dense(p, x):
  return x @ p["kernel"] + p.get("bias", 0.0)


def gelu_tanh(x):
  """Hendrycks and Gimpel 2016, section 2, the approximation."""
  return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
  return x * special.expit(x)


ACTIVATIONS = {
  "gelu": lambda x: x * special.ndtr(x),
  "gelu_tanh": gelu_tanh,
  "relu": lambda x: np.maximum(x, 0),
  "silu": silu,
  "tanh": np.tanh,
  "swiglu": silu,
  "geglu": gelu_tanh,
}
ACTIVATIONS |= {"geglu_exact": ACTIVATIONS["gelu"]}
ACTIVATIONS |= {"reglu": ACTIVATIONS["relu"]}


def feedforward(trunk, p, x):
  """Vaswani et al. 2017, eq. 2; Shazeer 2020, eq. 6 with a gate."""
  activate = ACTIVATIONS[trunk.activation]
  up = dense(p["up"], x)
  if trunk.activation in ("swiglu", "geglu", "geglu_exact", "reglu"):
    return dense(p["down"], activate(dense(p["gate"], x)) * up)
  return dense(p["down"], activate(up))


def wavelength(i, half, base, scaling):
  """2 pi / theta_i (Su et al. 2021, section 3.2.2), for longer contexts.

  scaling: (factor,) stretches all (Chen et al. 2023, eq. 3); (factor, low,
    high, length) as the released code of LLaMA 3.1, case by case.
  """
  wave = 2 * math.pi * base ** (i / half)
  if len(scaling) == 1:
    return wave * scaling[0]
  if not scaling:
    return wave
  factor, low, high, length = scaling
  if wave > length / low:
    return wave * factor
  if wave < length / high:
    return wave
  kept = (length / wave - low) / (high - low)
  return 1 / ((1 - kept) / (factor * wave) + kept / wave)


def rotate(x_TxHxK, positions, base, scaling=()):
  """Su et al. 2021, eq. 15: pairs (i, i + K/2) turned by m theta_i."""
  out = np.zeros_like(x_TxHxK)
  half = x_TxHxK.shape[-1] // 2
  for t, m in enumerate(positions):
    for i in range(half):
      angle = m * 2 * math.pi / wavelength(i, half, base, scaling)
      turn = np.array(
        [
          [math.cos(angle), -math.sin(angle)],
          [math.sin(angle), math.cos(angle)],
        ]
      )
      pair = [i, i + half]
      out[t][:, pair] = x_TxHxK[t][:, pair] @ turn.T
  return out


def relative_bucket(distance, buckets, farthest, both):
  """T5's bucket of key - query position, one number at a time."""
  bucket = 0
  if both:
    buckets //= 2
    bucket = buckets if distance > 0 else 0
    distance = abs(distance)
  else:
    distance = max(-distance, 0)
  exact = buckets // 2
  if distance < exact:
    return bucket + distance
  growth = math.log(distance / exact) / math.log(farthest / exact)
  return bucket + min(exact + int(growth * (buckets - exact)), buckets - 1)


def alibi_slope(head, heads):
  """Press et al. 2022, section 3: 2^(-8/n), 2^(-16/n), ... for n = 2^i."""
  assert heads & (heads - 1) == 0
  return 2 ** (-8 * (head + 1) / heads)


def attend(q, k, v, visible, bias=None, divisor=None):
  """Vaswani et al. 2017, eq. 1, one query at a time; [T, H, K] each.

  visible: bool [T, S]; bias: [H, T, S] or None; divisor: of the scores,
  by default sqrt(K).
  """
  length, heads, size = q.shape
  divisor = divisor or math.sqrt(size)
  out = np.zeros((length, heads, v.shape[-1]))
  for h in range(heads):
    for t in range(length):
      seen = np.flatnonzero(visible[t])
      if not len(seen):
        continue
      score = np.array([q[t, h] @ k[s, h] for s in seen]) / divisor
      if bias is not None:
        score = score + bias[h, t, seen]
      weight = special.softmax(score)
      for w, s in zip(weight, seen, strict=True):
        out[t, h] += w * v[s, h]
  return out


def visible(stream, b, window=0):
  """The definition, for one row: segments, ranks, and the local window."""
  segment, position = stream.segment_BxT[b], stream.position_BxT[b]
  length = len(segment)
  out = np.zeros((length, length), bool)
  for i in range(length):
    for j in range(length):
      near = not window or abs(int(position[i]) - int(position[j])) < window
      ranked = stream.key_rank_BxT[b, j] <= stream.query_rank_BxT[b, i]
      out[i, j] = segment[i] == segment[j] and ranked and near
  return out


class Transformer:
  """A stack of the parameters of a network, one row at a time.

  trunk: of lm_jax.types.
  params: of the network; name: of the stack.
  """

  def __init__(self, trunk, params, name="main"):
    self.trunk = trunk
    self.embedder = params[f"embedder_{trunk.embeddings}"]
    self.stack = params[f"stack_{name}"]
    self.output = params.get(f"output_{name}", {})

  def hidden(self, inputs, source=None):
    """[B, T, D]."""
    rows = []
    for b in range(inputs.tokens_BxT.shape[0]):
      memory, across = None, None
      if source is not None:
        memory = self.blocks("encoder", source, b)
        across = inputs.segment_BxT[b][:, None] == source.segment_BxT[b][None]
      rows.append(self.blocks("blocks", inputs, b, memory, across))
    return np.stack(rows)

  def logits(self, hidden):
    """[B, T, V]."""
    trunk, x = self.trunk, hidden
    if "transform" in self.output:
      activate = ACTIVATIONS[trunk.output_activation or trunk.activation]
      x = activate(dense(self.output["transform"], x))
      x = norm(trunk, self.output["norm"], x)
    elif "projection" in self.output:
      x = dense(self.output["projection"], x)
    if trunk.output_scaling:  # Raffel et al. 2020, released code
      x = x / math.sqrt(trunk.width)
    owner = self.embedder if trunk.tied else self.output
    return x @ owner["embedding"].T + self.output.get("bias", 0.0)

  def embed(self, stream, b, name):
    trunk, p = self.trunk, self.embedder
    own = name + "_" if name == "encoder" and trunk.encoder_embeddings else ""
    position = stream.position_BxT[b] + trunk.position_offset
    x = p["embedding"][stream.tokens_BxT[b]]
    if trunk.query_embedding:
      x[stream.key_rank_BxT[b] == NEVER] = p["query_embedding"]
    if trunk.embedding_scaling:  # Vaswani et al. 2017, section 3.4
      x = x * math.sqrt(trunk.width)
    if trunk.positions == "learned":
      x = x + p[own + "position_embedding"][position]
    if trunk.positions in ("sinusoidal", "fairseq"):
      # Vaswani et al. 2017, section 3.5; all sines before all cosines.
      # fairseq's last wavelength is that of the exponent 1.
      half = x.shape[-1] // 2
      last = half - 1 if trunk.positions == "fairseq" else half
      angle = position[:, None] / 10000 ** (np.arange(half) / last)
      x = x + np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
    if trunk.token_types:
      x = x + p["type_embedding"][stream.type_BxT[b]]
    elif trunk.types_are_tokens:
      x = x + p["embedding"][stream.type_BxT[b]]
    return norm(trunk, p[own + "norm"], x) if trunk.embedding_norm else x

  def bias(self, trunk, p, stream, b):
    """[H, T, T] or None."""
    position = stream.position_BxT[b]
    if trunk.positions not in ("relative", "alibi"):
      return None
    length = len(position)
    out = np.zeros((trunk.heads, length, length))
    # Raffel et al. 2020: a decoder's buckets all lie behind the query. A
    # stack that may read both ways keeps buckets for both.
    both = trunk.architecture in ("encoder", "prefix_decoder") or (
      stream.mask != "causal"
    )
    for i in range(length):
      for j in range(length):
        distance = int(position[j]) - int(position[i])
        if trunk.positions == "relative":
          bucket = relative_bucket(
            distance, trunk.relative_buckets, trunk.relative_distance, both
          )
          out[:, i, j] = p["relative"]["relative_bias"][bucket]
        else:
          for h in range(trunk.heads):
            out[h, i, j] = -alibi_slope(h, trunk.heads) * abs(distance)
    return out

  def attention(
    self, trunk, p, x, memory, seen, depth, bias=None, position=None, base=0
  ):
    size = trunk.head_width or trunk.width // trunk.heads
    groups = trunk.kv_heads or trunk.heads
    q = dense(p["query"], x).reshape(len(x), trunk.heads, size)
    k = dense(p["key"], memory).reshape(len(memory), groups, size)
    v = dense(p["value"], memory).reshape(len(memory), groups, size)
    if trunk.positions == "rotary" and position is not None:
      q = rotate(q, position, base, trunk.rotary_scaling)
      k = rotate(k, position, base, trunk.rotary_scaling)
    # Ainslie et al. 2023: neighbouring query heads share a key head.
    of_head = [h * groups // trunk.heads for h in range(trunk.heads)]
    divisor = math.sqrt(size) if trunk.attention_scaling else 1
    divisor *= depth if trunk.depth_scaling else 1
    out = attend(q, k[:, of_head], v[:, of_head], seen, bias, divisor)
    return dense(p["out"], out.reshape(len(x), -1))

  def blocks(self, name, stream, b, memory=None, across=None):
    trunk, p = self.trunk, self.stack[name]
    if name == "encoder":
      trunk = dataclasses.replace(
        trunk,
        layers=trunk.encoder_layers or trunk.layers,
        heads=trunk.encoder_heads or trunk.heads,
        feedforward=trunk.encoder_feedforward or trunk.feedforward,
      )
    position = stream.position_BxT[b]
    x = self.embed(stream, b, name)
    if "embedding_projection" in p:
      x = dense(p["embedding_projection"], x)
    bias = self.bias(trunk, p, stream, b)

    def residual(x, normed, layer):
      if trunk.norm_placement == "pre":  # Xiong et al. 2020, table 1
        return x + layer(x if normed is None else norm(trunk, normed, x))
      return norm(trunk, normed, x + layer(x))

    def attention(p, x, i):
      window = trunk.windows[i % len(trunk.windows)]
      if trunk.positions == "xlnet":
        return xlnet_reference.attention(trunk, p, x, stream, b, window)
      seen = visible(stream, b, window)
      local = trunk.local_rotary_base if window else 0
      base = local or trunk.rotary_base
      return self.attention(trunk, p, x, x, seen, i + 1, bias, position, base)

    for i in range(trunk.layers):
      layer = p[f"layer_{trunk.sharing[i] if trunk.sharing else i}"]
      # ModernBERT's first layer reads embeddings that are normalized already.
      bare = i == 0 and not trunk.first_norm
      x = residual(
        x,
        None if bare else layer["attention_norm"],
        functools.partial(attention, layer["attention"], i=i),
      )
      if memory is not None:
        x = residual(
          x,
          layer["cross_attention_norm"],
          lambda y, p=layer["cross_attention"], i=i: self.attention(
            trunk, p, y, memory, across, i + 1
          ),
        )
      x = residual(
        x,
        layer["feedforward_norm"],
        lambda y, p=layer["feedforward"]: feedforward(trunk, p, y),
      )
    if trunk.norm_placement == "pre":
      x = norm(trunk, p["final_norm"], x)
    return x
