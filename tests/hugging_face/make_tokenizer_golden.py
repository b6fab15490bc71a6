"""Writes tokenizer_golden.json: the ids that Transformers gives.

python tests/hugging_face/make_tokenizer_golden.py
"""

import json
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "helpers"))

TEXTS = [
  "the quick brown fox",
  " The  lazy\tdog, don't you know?",
  "cafe\u0301 cr\u00e8me 世界 123",
  "",
  "unknown: \U0001f469\u200d\U0001f467 \x07 (a-b).",
]


def main() -> None:
  os.environ["HF_HUB_OFFLINE"] = "1"
  import foreign_tokenizers as foreign
  import transformers

  golden = {}
  with tempfile.TemporaryDirectory() as folder:
    for name in foreign.DIRECTORIES:
      directory = pathlib.Path(folder) / name
      foreign.build(foreign.Handmade(), name, directory)
      theirs = transformers.AutoTokenizer.from_pretrained(directory)
      golden[name] = {
        "plain": [theirs.encode(x, add_special_tokens=False) for x in TEXTS],
        "around": theirs.encode(TEXTS[0]),
      }
  rows = ",\n".join(
    f"{json.dumps(name)}: {json.dumps(row)}" for name, row in golden.items()
  )
  (HERE / "tokenizer_golden.json").write_text(
    f'{{"texts": {json.dumps(TEXTS)},\n"directories": {{\n{rows}\n}}}}\n'
  )


if __name__ == "__main__":
  main()
