"""Lists published facts about chips, for plans on paper."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
  """Peak values of one chip, in bytes and seconds.

  flops: bfloat16 FLOPs per second, dense.
  memory: bytes.
  link: bytes per second that it sends to the chips of its domain, over all
    links together, one way.
  domain: number of chips joined by such links.
  network: bytes per second that it sends beyond its domain.
  """

  flops: float
  memory: float
  link: float
  domain: int
  network: float


# TPUs: docs.cloud.google.com/tpu/docs/v4, v5e, v5p, v6e, "key specifications".
# ICI is given there in Gbps one way (v4 2400, v5p 4800) or in GBps both ways
# (v5e 400, v6e 800). Beyond a pod: v5e 6.4 Tbps for its 256 chips; the others
# from the table of jax-ml.github.io/scaling-book/tpus.
# GPUs: NVIDIA's data sheets of A100 80GB SXM, H100 SXM and H200 SXM; NVLink is
# given both ways (600 and 900 GB/s) and joins the 8 of a node. Beyond a node:
# a network card for each GPU, as in DGX A100 (200 Gb/s) and H100 (400 Gb/s).
CHIPS: dict[str, Chip] = {
  "tpu_v4": Chip(275e12, 32e9, 300e9, 4096, 6.25e9),
  "tpu_v5e": Chip(197e12, 16e9, 200e9, 256, 3.125e9),
  "tpu_v5p": Chip(459e12, 95e9, 600e9, 8960, 6.25e9),
  "tpu_v6e": Chip(918e12, 32e9, 400e9, 256, 12.5e9),
  "a100": Chip(312e12, 80e9, 300e9, 8, 25e9),
  "h100": Chip(989e12, 80e9, 450e9, 8, 50e9),
  "h200": Chip(989e12, 141e9, 450e9, 8, 50e9),
}
