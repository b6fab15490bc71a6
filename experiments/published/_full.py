"""Published settings that several claims share, as flags of `compare`.

Where a paper does not give a setting, or it was not found, lm_jax's default
stands. BooksCorpus has no TFDS name; Wikipedia alone stands for both. The
schedules of BERT and T5 were not looked up again in their papers.
"""

from __future__ import annotations

A100 = "one A100 (estimated at 1.2e14 FLOP/s)"
WIKIPEDIA = "Wikipedia and BooksCorpus; TFDS: wikipedia/20230601.en"
C4 = "C4; TFDS: c4/en"
# Pretraining as of Devlin et al. 2019, appendix A.2: 1,000,000 steps of 256
# rows of 512 tokens, Adam 1e-4 with beta2 0.999, weight decay 0.01, 10,000
# steps of warm-up, linear decay.
BERT = {
  "trunk.preset": "bert",
  "length": "512",
  "batch_size": "256",
  "budget": "steps:1000000",
  "optimizer.learning_rate": "1e-4",
  "optimizer.schedule": "linear",
  "optimizer.warmup": "0.01",
  "optimizer.final": "0",
  "optimizer.beta2": "0.999",
  "optimizer.weight_decay": "0.01",
  "data.corpus": "wikipedia/20230601.en",
  "data.tokenizer": "wordpiece",
  "data.vocabulary_size": "30522",
  "dtype": "bfloat16",
  "checkpoint_every": "1000",
}
BERT_HOURS = 220.0  # an arm; BERT-base's 6.4e19 FLOPs of ELECTRA's table x 1.5
# Raffel et al. 2020, section 3.1: 2^19 steps of 128 rows of 512 tokens,
# Adafactor, inverse square root from 0.01 after 10^4 steps.
T5 = {
  "trunk.preset": "t5",
  "length": "512",
  "batch_size": "128",
  "budget": "steps:524288",
  "optimizer.name": "adafactor",
  "optimizer.learning_rate": "1e-2",
  "optimizer.schedule": "rsqrt",
  "optimizer.warmup": "0.019",
  "optimizer.weight_decay": "0",
  "data.corpus": "c4/en",
  "data.tokenizer": "unigram",
  "data.vocabulary_size": "32000",
  "dtype": "bfloat16",
  "checkpoint_every": "1000",
}
T5_HOURS = 80.0  # an arm
# Wang et al. 2022, tables 1 and 2.
C4_MODEL = T5 | {
  "trunk.layers": "24",
  "trunk.width": "4096",
  "trunk.heads": "64",
  "trunk.feedforward": "10240",
  "trunk.activation": "geglu",
  "batch_size": "2048",
  "length": "626",
  "budget": "tokens:1.68e11",
}
