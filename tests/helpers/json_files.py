"""Files of JSON that tests read and change."""

import contextlib
import json


def read(path):
  return json.loads(path.read_text())


@contextlib.contextmanager
def edited(path):
  """Gives the content of a file to be changed, and writes it back."""
  content = read(path)
  yield content
  path.write_text(json.dumps(content))
