"""Every family's published configurations (published.json)."""

import published
import pytest
import shipped

from lm_jax.hugging_face import read as read_lib
from lm_jax.support.errors import UsageError


@pytest.mark.parametrize("name", published.ROWS)
def test_a_published_configuration_is_read(name, tmp_path):
  model = published.describe(tmp_path, published.config(name))
  assert model.trunk == published.trunk(name)
  assert published.parameters(model) == published.ROWS[name]["parameters"]


@pytest.mark.parametrize(("name", "field", "changes"), published.refused())
def test_what_is_not_supported_is_refused(name, field, changes, tmp_path):
  with pytest.raises(
    UsageError, match=f": {field}(=.*:| is missing;) must be "
  ):
    published.describe(tmp_path, published.config(name) | changes)


def test_every_family_is_there():
  types = {published.config(name)["model_type"] for name in published.ROWS}
  known = {x for f in read_lib.families().values() for x in f.model_types}
  assert {*shipped.MODEL_TYPES} <= types <= known
