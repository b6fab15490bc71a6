"""XLNet's attention in float64 NumPy, one pair at a time.

Yang et al. 2019, section 2.5 and appendix A.2; a helper of reference.py.
"""

from __future__ import annotations

import numpy as np
from scipy import special


def attention(trunk, p, x, stream, b, window=0, past=None):
  """States [T, D] of row b.

  p: parameters of lm_jax.models.relative_attention, float64.
  x: states that the row's tokens read, [T, D].
  past: states of the memory, [M, D], or None.
  """
  heads, width = trunk.heads, x.shape[-1]
  size = trunk.head_width or width // heads
  groups = trunk.kv_heads or heads
  keys = x if past is None else np.concatenate([past, x])
  memory = len(keys) - len(x)
  position, segment = stream.position_BxT[b], stream.segment_BxT[b]
  place = [*range(-memory, 0), *map(int, position)]
  kind = None
  if stream.type_BxT is not None:
    kind = [0] * memory + list(stream.type_BxT[b])

  def visible(i, j):
    if window and abs(int(position[i]) - place[j]) >= window:
      return False
    if j < memory:
      return segment[i] > 0
    ranked = stream.key_rank_BxT[b, j - memory] <= stream.query_rank_BxT[b, i]
    return segment[i] == segment[j - memory] and ranked

  def project(name, x, h, count):
    """Of head h, of which `count` share the projection."""
    h = h * count // heads
    y = x @ p[name]["kernel"] + p[name].get("bias", 0.0)
    return y[..., h * size : (h + 1) * size]

  def wave(distance):
    angle = distance / 10000 ** (2 * np.arange(width // 2) / width)
    return np.concatenate([np.sin(angle), np.cos(angle)])

  joined = np.zeros((len(x), heads * size))
  for h in range(heads):
    q = project("query", x, h, heads)
    k, v = (project(name, keys, h, groups) for name in ("key", "value"))
    content, where, what = (
      p[f"{name}_bias"][h] for name in ("content", "position", "segment")
    )
    for i in range(len(x)):
      seen = [j for j in range(len(keys)) if visible(i, j)]
      scores = []
      for j in seen:
        r = project("position", wave(int(position[i]) - place[j]), h, heads)
        score = (q[i] + content) @ k[j] + (q[i] + where) @ r
        if kind is not None:
          other = int(kind[memory + i] != kind[j])
          score += (q[i] + what) @ p["segment_embedding"][other, h]
        scores.append(score)
      scale = np.sqrt(size) if trunk.attention_scaling else 1
      if seen:
        weight = special.softmax(np.array(scores) / scale)
        joined[i, h * size : (h + 1) * size] = weight @ v[seen]
  return joined @ p["out"]["kernel"] + p["out"].get("bias", 0.0)
