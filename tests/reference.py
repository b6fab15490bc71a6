"""The transformer in float64 NumPy, written from the papers.

It reads the parameters of lm_jax.models by name, and shares no code with it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special


def norm(trunk, p, x):
  """LayerNorm (Ba et al. 2016, eq. 4) or RMSNorm (Zhang, Sennrich, eq. 4)."""
  if trunk.norm == "rmsnorm":
    rms = np.sqrt((x**2).mean(-1, keepdims=True) + trunk.norm_epsilon)
    return x / rms * p["scale"]
  deviation = np.sqrt(x.var(-1, keepdims=True) + trunk.norm_epsilon)
  return (x - x.mean(-1, keepdims=True)) / deviation * p["scale"] + p["bias"]


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
  "swiglu": silu,
  "geglu": gelu_tanh,
}


def feedforward(trunk, p, x):
  """Vaswani et al. 2017, eq. 2; Shazeer 2020, eq. 6 with a gate."""
  activate = ACTIVATIONS[trunk.activation]
  up = dense(p["up"], x)
  if trunk.activation in ("swiglu", "geglu"):
    return dense(p["down"], activate(dense(p["gate"], x)) * up)
  return dense(p["down"], activate(up))


def rotate(x_TxHxK, positions, base):
  """Su et al. 2021, eq. 15: pairs (i, i + K/2) turned by m theta_i."""
  out = np.zeros_like(x_TxHxK)
  half = x_TxHxK.shape[-1] // 2
  for t, m in enumerate(positions):
    for i in range(half):
      angle = m * base ** (-2 * i / (2 * half))
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


def attend(q, k, v, visible, bias=None):
  """Vaswani et al. 2017, eq. 1, one query at a time; [T, H, K] each.

  visible: bool [T, S]; bias: [H, T, S] or None.
  """
  length, heads, size = q.shape
  out = np.zeros((length, heads, v.shape[-1]))
  for h in range(heads):
    for t in range(length):
      seen = np.flatnonzero(visible[t])
      if not len(seen):
        continue
      score = np.array([q[t, h] @ k[s, h] for s in seen]) / math.sqrt(size)
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
      x = ACTIVATIONS[trunk.activation](dense(self.output["transform"], x))
      x = norm(trunk, self.output["norm"], x)
    elif "projection" in self.output:
      x = dense(self.output["projection"], x)
    owner = self.embedder if trunk.tied else self.output
    return x @ owner["embedding"].T + self.output.get("bias", 0.0)

  def embed(self, stream, b):
    trunk, p = self.trunk, self.embedder
    position = stream.position_BxT[b]
    x = p["embedding"][stream.tokens_BxT[b]]
    if trunk.positions == "learned":
      x = x + p["position_embedding"][position]
    if trunk.positions == "sinusoidal":
      # Vaswani et al. 2017, section 3.5; all sines before all cosines.
      half = x.shape[-1] // 2
      angle = position[:, None] / 10000 ** (2 * np.arange(half) / (2 * half))
      x = x + np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
    if trunk.token_types:
      x = x + p["type_embedding"][stream.type_BxT[b]]
    return norm(trunk, p["norm"], x) if trunk.embedding_norm else x

  def bias(self, p, stream, b):
    """[H, T, T] or None."""
    trunk, position = self.trunk, stream.position_BxT[b]
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

  def attention(self, p, x, memory, seen, bias, position=None):
    trunk = self.trunk
    size = trunk.head_width or trunk.width // trunk.heads
    groups = trunk.kv_heads or trunk.heads
    q = dense(p["query"], x).reshape(len(x), trunk.heads, size)
    k = dense(p["key"], memory).reshape(len(memory), groups, size)
    v = dense(p["value"], memory).reshape(len(memory), groups, size)
    if trunk.positions == "rotary" and position is not None:
      q = rotate(q, position, trunk.rotary_base)
      k = rotate(k, position, trunk.rotary_base)
    # Ainslie et al. 2023: neighbouring query heads share a key head.
    of_head = [h * groups // trunk.heads for h in range(trunk.heads)]
    out = attend(q, k[:, of_head], v[:, of_head], seen, bias)
    return dense(p["out"], out.reshape(len(x), -1))

  def blocks(self, name, stream, b, memory=None, across=None):
    trunk, p = self.trunk, self.stack[name]
    position = stream.position_BxT[b]
    x = self.embed(stream, b)
    if "embedding_projection" in p:
      x = dense(p["embedding_projection"], x)
    bias = self.bias(p, stream, b)
    count = trunk.layers
    if name == "encoder":
      count = trunk.encoder_layers or trunk.layers

    def residual(x, normed, layer):
      if trunk.norm_placement == "pre":  # Xiong et al. 2020, table 1
        return x + layer(norm(trunk, normed, x))
      return norm(trunk, normed, x + layer(x))

    for i in range(count):
      layer = p[f"layer_{i}"]
      seen = visible(stream, b, trunk.windows[i % len(trunk.windows)])
      x = residual(
        x,
        layer["attention_norm"],
        lambda y, p=layer["attention"], seen=seen: self.attention(
          p, y, y, seen, bias, position
        ),
      )
      if memory is not None:
        x = residual(
          x,
          layer["cross_attention_norm"],
          lambda y, p=layer["cross_attention"]: self.attention(
            p, y, memory, across, None
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
