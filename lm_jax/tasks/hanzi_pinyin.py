"""Measures Hanzi pinyin: does a model know which characters sound alike?"""

from lm_jax.tasks import _hanzi


class HanziPinyin(_hanzi.HanziTask):
  """Chinese BabyLM 2026; pairs such as “伴”和“办”的声母、韵母和声调完全相同."""

  data_set = "huggingface:chinese-babylm-org__hanzi-pinyin"
