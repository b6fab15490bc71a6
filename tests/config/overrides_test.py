import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides
from lm_jax.inference import continued
from lm_jax.models import sizes
from lm_jax.support.errors import UsageError


def test_override_sets_every_kind_of_option():
  config = overrides.override(
    Config(trunk={"bias": True}),
    {
      "objective": "mlm",
      "length": "64",
      "data.corpus": "x*.txt",
      "optimizer.schedule": "wsd",
      "optimizer.learning_rate": "3e-4",
      "objective.rate": "0.3",
      "objective.dynamic": "false",
      "trunk.windows": "256,0",
      "trunk.preset": "gpt2",
    },
  )
  assert (config.objective, config.length) == ("mlm", 64)
  assert config.data.corpus == "x*.txt"
  assert config.optimizer.schedule == "wsd"
  assert config.optimizer.learning_rate == 3e-4
  assert config.objective_options == {"rate": 0.3, "dynamic": False}
  assert config.trunk == {
    "bias": True,
    "windows": (256, 0),
    "preset": "gpt2",
  }


def test_another_objective_forgets_the_options_of_the_former():
  mlm = Config(
    objective="mlm", architecture="encoder", objective_options={"rate": 0.3}
  )
  clm = overrides.override(mlm, {"objective": "clm"})
  assert (clm.architecture, clm.objective_options) == ("", {})
  assert overrides.override(mlm, {"objective": "mlm"}) == mlm


@pytest.mark.parametrize(
  ("path", "message"),
  [
    ("objective.mean_span", "mlm has no such option.*It has: rate, unit"),
    ("objective.ratee", "did you mean objective.rate"),
    ("optimizer.learnin_rate", "did you mean optimizer.learning_rate"),
    ("trunk.embeddings", "trunk.embeddings: unknown"),
    ("lenght", "did you mean length"),
  ],
)
def test_unknown_paths_are_refused(path, message):
  with pytest.raises(UsageError, match=message):
    overrides.override(Config(objective="mlm"), {path: "0.3"})


def test_flags_of_the_objectives_are_merged():
  flags = overrides.objective_flags()
  assert "mlm" in flags["objective.rate"].help
  assert "0.15" in flags["objective.rate"].help
  for name in ("mlm", "span_corruption"):
    assert config_lib.objective_schema(name).keys() <= flags.keys()


def test_continued_keeps_what_the_model_is_made_of(tmp_path):
  old = config_lib.resolve(
    Config(objective="mlm", size="nano", length=64, workdir="x", name="y")
  )
  (tmp_path / "config.json").write_text(config_lib.to_json(old))
  new = continued.continued(str(tmp_path), ["model", "seed"])
  assert (new.model, new.workdir, new.name) == (str(tmp_path), "", "")
  new = overrides.override(new, {"objective": "clm"})
  before, after = config_lib.build(old).trunk, config_lib.build(new).trunk
  assert (after.width, after.layers) == (before.width, before.layers)
  assert after.architecture == "causal_decoder"
  for path in ("size", "trunk.width", "data.tokenizer"):
    with pytest.raises(UsageError, match=f"--{path}: --model"):
      continued.continued(str(tmp_path), [path])
  assert continued.continued(str(tmp_path), ["trunk.dropout"])
  with pytest.raises(UsageError, match="not a run directory"):
    continued.continued(str(tmp_path / "nothing"), [])


@pytest.mark.parametrize("preset", sizes.PRESETS)
@pytest.mark.parametrize("size", sizes.SIZES)
def test_a_preset_may_have_any_size(preset, size):
  config = overrides.override(Config(), {"trunk.preset": preset, "size": size})
  trunk = config_lib.build(config).trunk
  like, published = sizes.SIZES[size], sizes.PRESETS[preset]
  assert (trunk.width, trunk.heads) == (like.width, like.heads)
  same = ("norm", "norm_placement", "positions", "activation", "dropout")
  for name in (*same, "bias", "token_types", "output_transform"):
    assert getattr(trunk, name) == getattr(published, name)
  if sizes.NAMESAKES[preset].endswith("-base"):
    base = overrides.override(
      Config(), {"trunk.preset": preset, "size": "base"}
    )
    assert (
      config_lib.build(base).trunk
      == config_lib.build(Config(trunk={"preset": preset})).trunk
    )


def test_a_size_beside_a_preset_gives_way_to_what_is_given():
  given = {"trunk.preset": "albert", "size": "nano", "trunk.layers": "3"}
  trunk = config_lib.build(overrides.override(Config(), given)).trunk
  assert (trunk.layers, trunk.width, trunk.sharing) == (3, 64, (0, 0, 0))
  with pytest.raises(UsageError, match="--size=tinny: unknown"):
    overrides.override(Config(), {"trunk.preset": "bert", "size": "tinny"})
  # Published models of other sizes.
  for preset, size, embedding in (
    ("albert", "large", 128),
    ("electra", "small", 128),
    ("electra", "base", 0),
  ):
    config = overrides.override(
      Config(), {"trunk.preset": preset, "size": size}
    )
    assert config_lib.build(config).trunk.embedding_width == embedding
  # A file that says nothing of it is as it was.
  old = config_lib.from_json('{"size": "tiny", "trunk": {"preset": "bert"}}')
  assert config_lib.build(old).trunk.width == 768
