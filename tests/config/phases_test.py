"""--phases: what is valid, and what a phase leaves open."""

import dataclasses

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides, phases
from lm_jax.runs import grid, run, sweeps
from lm_jax.storage import identity
from lm_jax.support.errors import UsageError


def made(**settings):
  given = {path.replace("__", "."): text for path, text in settings.items()}
  return overrides.override(Config(), given)


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"phases": "clm:0.5,mlm:0.6"}, "the shares add up to 1.1 and must"),
    ({"phases": "clm:0.3,mlm:0.3"}, "the shares add up to 0.6 and must"),
    ({"phases": "clm:0.5,mlmm:0.5"}, "objective=mlmm: unknown; .* mlm?"),
    ({"phases": "clm:0.5,mlm"}, "'mlm' is no phase: must be objectives and"),
    ({"phases": "clm:0.5,mlm(rate=0.3:0.5"}, "is no phase"),
    ({"phases": "clm:1,"}, "must be objectives and"),
    ({"phases": ","}, "must be objectives and"),
    ({"phases": "clm:0,mlm:1"}, "0 must be a number above 0, the share of clm"),
    ({"phases": "clm:nan"}, "nan must be a number above 0"),
    ({"phases": "clm(rate=0.3):0.5,mlm:0.5"}, "rate=0.3: clm has no such"),
    ({"phases": "mlm(rat=0.3):0.5,clm:0.5"}, "did you mean objective.rate"),
    ({"phases": "mlm(rate=2):1"}, "mlm: --objective.rate=2: must be above 0"),
    ({"phases": "mlm(rate):1"}, "'rate' is no option and value"),
    ({"phases": "mlm(rate=.1,rate=.1):1"}, "rate stands twice in one phase"),
    ({"phases": "clm(architecture=x):1"}, "architecture=x: unknown"),
    (
      {
        "phases": "clm:.5,span_corruption:.5",
        "architecture": "encoder_decoder",
      },
      r"no one stack can have clm \(causal_decoder\), span_corruption",
    ),
    (
      {"phases": "mlm(architecture=causal_decoder):.5,clm:.5"},
      "a phase of mlm: --architecture=causal_decoder: .*fits encoder only",
    ),
    ({"phases": "clm:.5,mlm:.5", "objective": "clm"}, "ends with mlm"),
    ({"phases": "mlm(rate=0.2):1", "objective__rate": "0.3"}, "has it, too"),
    ({"phases": "classify:.5,clm:.5"}, "learns from examples"),
    ({"phase_cycle": "steps:100"}, "--phase_cycle=steps:100: needs --phases"),
    ({"phase_schedule": "each"}, "--phase_schedule=each: needs --phases"),
    (
      {"phases": "clm:3,mlm:1", "phase_cycle": "steps:10"},
      "would take 7.5, 2.5 steps in turn; must be whole .* multiple of 4",
    ),
    (
      {"phases": "clm:3,mlm:1", "phase_cycle": "tokens:10"},
      "must be a whole number of steps, steps:100",
    ),
    (
      {
        "phases": "clm:1,mlm:1",
        "phase_cycle": "steps:2",
        "phase_schedule": "each",
      },
      "--phase_schedule=each: not with --phase_cycle=steps:2",
    ),
    (
      {
        "phases": "clm:.5,mlm:.5",
        "branches": "tokens:100",
        "optimizer__schedule": "wsd",
      },
      "--branches=tokens:100: not with --phases",
    ),
    (
      {"phases": "rtd(generator=0.25):.5,rtd(generator=0.5):.5"},
      "rtd and rtd need 'generator' in different shapes",
    ),
  ],
)
def test_what_can_not_be(settings, message, tiny):

  def make():
    config = made(size="nano", **settings)
    run.Run(dataclasses.replace(config, data=tiny.data()))

  with pytest.raises(UsageError, match=message) as error:
    make()
  assert "--phase" in str(error.value) or "phase of" in str(error.value)


@pytest.mark.parametrize(
  ("settings", "objective", "architectures", "ends"),
  [
    (
      {"phases": "clm:0.25,mlm(rate=0.3):0.75"},
      "mlm",
      ["causal_decoder", "encoder"],
      (0.25, 1),
    ),
    (
      {"phases": "span_corruption:.5,clm:.5"},
      "clm",
      ["prefix_decoder", "causal_decoder"],
      (0.5, 1),
    ),
    (
      {
        "phases": "span_corruption:.5,clm:.5",
        "architecture": "causal_decoder",
      },
      "clm",
      ["causal_decoder", "causal_decoder"],
      (0.5, 1),
    ),
    (
      {
        "phases": "prefix_lm:.2,denoising:.8",
        "architecture": "encoder_decoder",
      },
      "denoising",
      ["encoder_decoder", "encoder_decoder"],
      (0.2, 1),
    ),
    (
      {"phases": "clm:.333333,mlm:.333333,hybrid:.333334"},
      "hybrid",
      ["causal_decoder", "encoder", "prefix_decoder"],
      (0.333333, 0.666666, 1),
    ),
  ],
)
def test_a_resolved_configuration_says_all(
  settings, objective, architectures, ends
):
  """Reads back the same, whatever is left open by default."""
  config = config_lib.resolve(made(**settings))
  assert config.objective == objective
  text = config_lib.to_json(config)
  again = config_lib.resolve(config_lib.from_json(text))
  assert again == config
  assert identity.changes(config, again) == []
  found = [config_lib.resolve(one) for one in phases.configs(again)]
  assert [one.architecture for one in found] == architectures
  assert [one.phases for one in found] == [""] * len(found)
  assert phases.ends(again) == pytest.approx(ends)


def test_options_of_a_phase_are_its_own():
  config = made(
    phases="mlm(rate=0.2,unit=word):.5,mlm:.5", objective__rate="0.4"
  )
  one, other = (c.objective_options for c in phases.configs(config))
  assert (one["rate"], other["rate"]) == (0.2, 0.4)
  assert (one["unit"], other.get("unit", "token")) == ("word", "token")
  config = made(phases="clm:.5,mlm(rate=0.3):.5")
  assert config.objective_options == {"rate": 0.3}
  # What is not given follows the defaults, not another phase.
  assert made(phases="mlm(rate=0.2):.5,mlm:.5").objective_options == {}


def test_another_objective_ends_phases():
  config = made(phases="clm:.5,mlm:.5", phase_schedule="each")
  plain = overrides.override(config, {"objective": "rtd"})
  assert (plain.objective, plain.phases) == ("rtd", "")
  assert plain.phase_schedule == "whole"
  other = overrides.override(config, {"phases": "mlm:.5,clm:.5"})
  assert other.objective == "clm"
  assert config_lib.build(other).trunk.architecture == "causal_decoder"


def test_phases_can_be_swept():
  """Values with commas stand in double quotes."""
  swept = sweeps.parse(['phases="clm:0.5,mlm:0.5","mlm:1"'])
  runs = grid.cross([Config(arm="x")], swept, 2)
  assert [config.objective for config in runs] == ["mlm"] * 4
  names = list(dict.fromkeys(config.arm for config in runs))
  assert names == ["x-clm0.5+mlm0.5", "x-mlm1"]
