"""The names that have entries of their own in the tests.

Such entries are golden numbers, what a prediction may see, and published
configurations. A name that is listed here must have them. The file of a new
name is checked by what every file of its kind promises; the name is added here
once it has entries, and so they can't get lost.
"""

# Of objectives that are not supervised: golden.json, and SEEN of the contract.
OBJECTIVES = (
  "clm",
  "denoising",
  "hybrid",
  "mlm",
  "mlm_nsp",
  "mlm_sop",
  "permutation_lm",
  "prefix_lm",
  "rtd",
  "span_corruption",
  "ul2",
)
# Of families: families/golden.json and families/published.json.
MODEL_TYPES = (
  "albert",
  "bart",
  "bert",
  "distilbert",
  "electra",
  "gpt2",
  "gpt_neo",
  "llama",
  "m2m_100",
  "mbart",
  "modernbert",
  "mt5",
  "openai-gpt",
  "roberta",
  "t5",
  "xlm-roberta",
  "xlnet",
)
