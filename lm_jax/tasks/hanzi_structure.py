"""Measures Hanzi structure: does a model know the parts of characters?"""

from lm_jax.tasks import _hanzi


class HanziStructure(_hanzi.HanziTask):
  """Chinese BabyLM 2026; pairs such as “汞”字上边的部分是“工” (or another)."""

  data_set = "huggingface:chinese-babylm-org__hanzi-structure"
