"""Fine-tuning by PyTorch Transformers' Trainer: the peer of `finetune`.

The recipe is ours: AdamW with a linear schedule, clipping at 1, dropout as the
model has it, so many examples a step, batches padded to their longest text;
the checkpoint that does best on the split to choose by is tested.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.examples.forms import Example, Question, Tagged


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What both sides train by; warm-up as a share of the steps."""

  length: int = 128
  epochs: float = 3.0
  batch_size: int = 32
  learning_rate: float = 5e-5
  warmup: float = 0.1
  weight_decay: float = 0.01
  beta2: float = 0.999
  evaluations: int = 5


class Classify:
  """Texts, or pairs, with a label."""

  def __init__(self, labels: Sequence[str]):
    self.labels = list(labels)

  def model(self, directory: str) -> Any:
    import transformers

    return transformers.AutoModelForSequenceClassification.from_pretrained(
      directory, num_labels=len(self.labels)
    )

  def features(
    self, tokenizer: Any, examples: Sequence[Example], recipe: Recipe
  ) -> list[dict[str, Any]]:
    found = []
    for example in examples:
      texts = list(example.fields.values())
      row = tokenizer(*texts, truncation=True, max_length=recipe.length)
      found.append({**row, "labels": self.labels.index(example.label)})
    return found

  def answers(
    self, logits: Any, features: Any, examples: Any, task: Any
  ) -> list[str]:
    return [self.labels[int(row.argmax())] for row in logits]


class LabelTokens:
  """Words with tags, told at the first token of each."""

  def __init__(self, labels: Sequence[str]):
    self.labels = list(labels)

  def model(self, directory: str) -> Any:
    import transformers

    return transformers.AutoModelForTokenClassification.from_pretrained(
      directory, num_labels=len(self.labels)
    )

  def features(
    self, tokenizer: Any, examples: Sequence[Tagged], recipe: Recipe
  ) -> list[dict[str, Any]]:
    found = []
    for example in examples:
      row = tokenizer(
        list(example.words),
        is_split_into_words=True,
        truncation=True,
        max_length=recipe.length,
      )
      words = row.word_ids()
      first = [
        word is not None and word not in words[:place]
        for place, word in enumerate(words)
      ]
      labels = [
        self.labels.index(example.tags[word]) if is_first else -100
        for word, is_first in zip(words, first, strict=True)
      ]
      found.append({**row, "labels": labels})
    return found

  def answers(
    self, logits: Any, features: Any, examples: Any, task: Any
  ) -> Any:
    found = []
    for row, feature, example in zip(logits, features, examples, strict=True):
      at = np.flatnonzero(np.array(feature["labels"]) != -100)
      tags = [self.labels[i] for i in row[at].argmax(axis=-1)]
      # Words without a token, or cut, have no tag of their own.
      words = feature["words"]
      by_word = dict(zip(words, tags, strict=True))
      found.append([by_word.get(i, "O") for i in range(len(example.words))])
    return found


class Extract:
  """Spans of passages, in windows; as their run_qa example."""

  def model(self, directory: str) -> Any:
    import transformers

    return transformers.AutoModelForQuestionAnswering.from_pretrained(directory)

  def features(
    self, tokenizer: Any, examples: Sequence[Question], recipe: Recipe
  ) -> list[dict[str, Any]]:
    found = []
    for number, example in enumerate(examples):
      rows = tokenizer(
        example.question,
        example.context,
        truncation="only_second",
        max_length=recipe.length,
        stride=recipe.length // 3,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
      )
      for window, offsets in enumerate(rows["offset_mapping"]):
        side = rows.sequence_ids(window)
        start = end = 0
        if example.answers:
          text, first = example.answers[0]
          last = first + len(text)
          inside = [
            place
            for place, (a, b) in enumerate(offsets)
            if side[place] == 1 and b > first and a < last
          ]
          edges = [p for p in range(len(side)) if side[p] == 1]
          if inside and edges:
            whole = offsets[edges[0]][0] <= first
            whole = whole and offsets[edges[-1]][1] >= last
            if whole:
              start, end = inside[0], inside[-1]
        found.append(
          {
            "input_ids": rows["input_ids"][window],
            "attention_mask": rows["attention_mask"][window],
            "token_type_ids": rows["token_type_ids"][window],
            "start_positions": start,
            "end_positions": end,
            "example": number,
            "offsets": [
              pair if side[place] == 1 else None
              for place, pair in enumerate(offsets)
            ],
          }
        )
    return found

  def answers(
    self, logits: Any, features: Any, examples: Any, task: Any
  ) -> list[str]:
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(examples)
    none = [np.inf] * len(examples)
    for (start_T, end_T), feature in zip(logits, features, strict=True):
      number = feature["example"]
      none[number] = min(none[number], float(start_T[0] + end_T[0]))
      offsets = feature["offsets"]
      for s in np.argsort(-start_T)[:20]:
        for e in np.argsort(-end_T)[:20]:
          inside = s < len(offsets) and e < len(offsets)
          if not inside or offsets[s] is None or offsets[e] is None:
            continue
          score = float(start_T[s] + end_T[e])
          if s <= e < s + 30 and score > best[number][0]:
            text = examples[number].context[offsets[s][0] : offsets[e][1]]
            best[number] = (score, text)
    return [
      "" if task.unanswerable and none[i] > score else text
      for i, (score, text) in enumerate(best)
    ]


KINDS = {"classify": Classify, "label_tokens": LabelTokens, "extract": Extract}


def trainer(
  directory: str,
  kind: Any,
  examples: Sequence[Any],
  recipe: Recipe,
  seed: int,
  steps: int = 0,
) -> Any:
  """A transformers.Trainer that is ready to train, and its folder.

  steps: in the place of recipe.epochs, if it is not 0.
  """
  import transformers

  tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
  features = kind.features(tokenizer, examples, recipe)
  total = steps or int(
    np.ceil(recipe.epochs * len(features) / recipe.batch_size)
  )
  folder = tempfile.mkdtemp()
  transformers.set_seed(seed)
  arguments = transformers.TrainingArguments(
    output_dir=folder,
    max_steps=total,
    per_device_train_batch_size=recipe.batch_size,
    per_device_eval_batch_size=64,
    learning_rate=recipe.learning_rate,
    lr_scheduler_type="linear",
    warmup_steps=int(recipe.warmup * total),
    weight_decay=recipe.weight_decay,
    adam_beta2=recipe.beta2,
    max_grad_norm=1.0,
    seed=seed,
    report_to=[],
    save_strategy="no",
    logging_strategy="no",
    disable_tqdm=True,
    dataloader_pin_memory=False,
  )
  inputs = ("input_ids", "attention_mask", "token_type_ids")
  labels = ("labels", "start_positions", "end_positions")
  rows = [
    {name: row[name] for name in (*inputs, *labels) if name in row}
    for row in features
  ]
  collator = transformers.DataCollatorWithPadding(tokenizer)
  if isinstance(kind, LabelTokens):
    collator = transformers.DataCollatorForTokenClassification(tokenizer)
  return transformers.Trainer(
    model=kind.model(directory),
    args=arguments,
    train_dataset=rows,
    data_collator=collator,
    processing_class=tokenizer,
  )


def finetuned(
  directory: str,
  task: Any,
  kind: Any,
  train: Sequence[Any],
  dev: Sequence[Any],
  tests: dict[str, tuple[Any, Sequence[Any]]],
  recipe: Recipe,
  seed: int,
) -> dict[str, dict[str, float]]:
  """The metrics of the best checkpoint, by test split.

  Args:
    directory: of the model.
    task: judges the split to choose by.
    kind: of KINDS.
    train, dev: examples.
    tests: by name, the task that judges it, and its examples.
    recipe, seed: of the training.
  """
  import copy

  import transformers

  made = trainer(directory, kind, train, recipe, seed)
  best: tuple[float, Any] = (-np.inf, None)
  every = max(1, made.args.max_steps // recipe.evaluations)

  def value() -> float:
    found = _judged(made, kind, task, dev, recipe)
    return found[task.primary]

  class Choose(transformers.TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
      nonlocal best
      if state.global_step % every and state.global_step < state.max_steps:
        return
      training = made.model.training
      now = value()
      made.model.train(training)
      if now > best[0]:
        best = now, copy.deepcopy(made.model.state_dict())

  made.add_callback(Choose())
  made.train()
  made.model.load_state_dict(best[1])
  return {
    name: _judged(made, kind, judge, examples, recipe)
    for name, (judge, examples) in tests.items()
  }


def _judged(
  made: Any, kind: Any, task: Any, examples: Sequence[Any], recipe: Recipe
) -> dict[str, float]:
  import torch

  tokenizer = made.processing_class
  features = kind.features(tokenizer, examples, recipe)
  order = sorted(
    range(len(features)), key=lambda i: len(features[i]["input_ids"])
  )
  logits: list[Any] = [None] * len(features)
  inputs = ("input_ids", "attention_mask", "token_type_ids")
  made.model.eval()
  for start in range(0, len(order), 64):
    some = order[start : start + 64]
    batch = tokenizer.pad(
      [{n: features[i][n] for n in inputs} for i in some], return_tensors="pt"
    )
    batch = batch.to(made.model.device)
    with torch.no_grad():
      out = made.model(**batch)
    for row, i in enumerate(some):
      size = len(features[i]["input_ids"])
      if isinstance(kind, Extract):
        both = (out.start_logits, out.end_logits)
        logits[i] = tuple(x[row, :size].cpu().numpy() for x in both)
      elif isinstance(kind, LabelTokens):
        logits[i] = out.logits[row, :size].cpu().numpy()
      else:
        logits[i] = out.logits[row].cpu().numpy()
  if isinstance(kind, LabelTokens):
    for feature, example in zip(features, examples, strict=True):
      row = tokenizer(
        list(example.words),
        is_split_into_words=True,
        truncation=True,
        max_length=recipe.length,
      )
      words = [w for w in row.word_ids() if w is not None]
      feature["words"] = list(dict.fromkeys(words))
  answers = kind.answers(logits, features, examples, task)
  return task.judge(answers, examples).metrics
