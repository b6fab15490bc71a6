"""Our numbers, and those of lm-evaluation-harness by its model and ours."""

import itertools
import json
import os
import subprocess
import sys

import foreign_directories
import numpy as np
import pytest

from lm_jax.inference import load
from lm_jax.language_model.answerer import Answerer
from lm_jax.support.errors import UsageError
from lm_jax.tasks.blimp import Blimp
from lm_jax.tasks.lambada import Lambada

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]
lm_eval = pytest.importorskip("lm_eval")

WORDS = [
  *("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"),
  *("and", "you", "know", "it"),
]
# With target_delimiter, the harness puts a space in front of a sentence.
BLIMP = """
task: own_blimp
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/blimp.jsonl}}
output_type: multiple_choice
test_split: test
doc_to_text: ""
doc_to_target: 0
doc_to_choice: "{{[good, bad]}}"
target_delimiter: ""
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""
LAMBADA = """
task: own_lambada
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/lambada.jsonl}}
output_type: loglikelihood
test_split: test
doc_to_text: "{{text.split(' ')[:-1]|join(' ')}}"
doc_to_target: "{{' '+text.split(' ')[-1]}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
ROLLING = """
task: own_rolling
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/lambada.jsonl}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{([text] * 40)|join(' ')}}"
metric_list: [{metric: byte_perplexity}]
"""
UNTIL = """
task: own_until
dataset_path: json
dataset_kwargs: {data_files: {test: FOLDER/lambada.jsonl}}
output_type: generate_until
test_split: test
doc_to_text: "{{text}}"
doc_to_target: "x"
generation_kwargs: {until: ["o"], max_gen_toks: 6, do_sample: false}
metric_list: [{metric: exact_match}]
"""
TASKS = ("own_blimp", "own_lambada", "own_rolling", "own_until")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
  """A random GPT-2, data of its words, and tasks of the harness for them."""
  folder = tmp_path_factory.mktemp("harness")
  foreign_directories.build("gpt2", folder / "gpt2")
  rng = np.random.default_rng(0)
  texts = [" ".join(rng.choice(WORDS, n)) for n in rng.integers(2, 4, 60)]
  with (folder / "blimp.jsonl").open("w") as file:
    for number, (good, bad) in enumerate(itertools.pairwise(texts)):
      names = {"uid": f"u{number % 3}", "field": "f", "term": "t"}
      pair = {"good": good, "bad": bad, "pair_id": number}
      file.write(json.dumps(names | pair) + "\n")
  with (folder / "lambada.jsonl").open("w") as file:
    file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
  tasks = zip(TASKS, (BLIMP, LAMBADA, ROLLING, UNTIL), strict=True)
  for name, task in tasks:
    text = task.strip().replace("FOLDER", str(folder))
    (folder / f"{name}.yaml").write_text(f"{text}\n")
  return folder


@pytest.fixture(scope="module")
def found(place):
  """The harness's results, by its own model and by ours, as a program.

  GPT-2's tokenizer leaves out what its texts began with in training, and so
  does the harness with "hf", unless the prompt is empty. Its cache of logits
  confuses requests whose texts are the same, parted at other places.
  """
  program = (
    "import json, sys\nimport lm_eval\nimport lm_jax.harness\n"
    "from lm_eval.tasks import TaskManager\n"
    "folder, *tasks = sys.argv[1:]\n"
    "manager = TaskManager(include_path=folder, include_defaults=False)\n"
    "found = {}\n"
    "for name, option in (('hf', 'dtype=float32,logits_cache=False'),"
    " ('lm_jax', 'add_bos_token=False'), ('lm_jax whole', '')):\n"
    "  args = f'pretrained={folder}/gpt2,{option}'.strip(',')\n"
    "  result = lm_eval.simple_evaluate(model=name.split()[0], model_args=args,"
    " tasks=tasks, task_manager=manager, device='cpu', batch_size=4)\n"
    "  found[name] = {'results': result['results'], 'samples': {\n"
    "    name: [s['filtered_resps'] for s in some]\n"
    "    for name, some in result['samples'].items()}}\n"
    "json.dump(found, open(f'{folder}/found.json', 'w'))\n"
  )
  cache = {"HF_HOME": str(place / "hf"), "HF_DATASETS_OFFLINE": "1"}
  subprocess.run(
    [sys.executable, "-c", program, str(place), *TASKS],
    check=True,
    env=os.environ | cache,
  )
  return json.loads((place / "found.json").read_text())


def test_the_harness_finds_the_same_with_both_models(found):
  theirs, ours = found["hf"], found["lm_jax"]
  for task in ("own_blimp", "own_lambada", "own_rolling"):
    for metric, value in theirs["results"][task].items():
      if isinstance(value, float) and "stderr" not in metric:
        own = ours["results"][task][metric]
        assert own == pytest.approx(value, rel=1e-4), (task, metric)
  for task in ("own_blimp", "own_lambada"):
    for one, other in zip(
      theirs["samples"][task], ours["samples"][task], strict=True
    ):
      for (their_score, their_greedy), (score, greedy) in zip(
        one, other, strict=True
      ):
        assert score == pytest.approx(their_score, abs=1e-3)
        assert greedy == their_greedy
  assert theirs["samples"]["own_until"] == ours["samples"]["own_until"]


def test_continuations_that_share_a_token_with_their_context(place):
  """Scored by "hf" at the cut of ours; where both cut alike, by itself."""
  from lm_eval.api.instance import Instance
  from lm_eval.models.huggingface import HFLM

  from lm_jax.harness import HarnessModel

  folder = str(place / "gpt2")
  options = {"dtype": "float32", "device": "cpu", "logits_cache": False}
  theirs = HFLM(pretrained=folder, batch_size=1, **options)
  ours = HarnessModel(folder, add_bos_token=False)
  pairs = [
    ("the quick", " brown fox"),
    ("over the ", "lazy dog"),
    ("", "quick dog"),
    ("jumps over t", "he"),  # one token: nothing is left by its number
    ("the br", "own dog"),
  ]
  requests = [
    Instance("loglikelihood", {}, pair, number)
    for number, pair in enumerate(pairs)
  ]
  found = ours.loglikelihood(requests)
  encode = lambda t: theirs.tok_encode(t, add_special_tokens=False)  # noqa: E731
  for number, (context, choice) in enumerate(pairs):
    alone, whole = encode(context.rstrip()), encode(context + choice)
    same = [a == b for a, b in itertools.zip_longest(alone, whole)]
    cut = same.index(False)
    read = whole[:cut] or [theirs.eot_token_id]
    [wanted] = theirs._loglikelihood_tokens(
      [((context, choice), read, whole[cut:])], disable_tqdm=True
    )
    assert found[number][0] == pytest.approx(wanted[0], abs=1e-4)
    assert found[number][1] == wanted[1] and found[number][0] < -0.1
    if number < 3:
      [own] = theirs.loglikelihood([requests[number]], disable_tqdm=True)
      assert found[number][0] == pytest.approx(own[0], abs=1e-4)
    else:
      assert cut < len(alone)
  with pytest.raises(AssertionError):
    theirs.loglikelihood([requests[3]], disable_tqdm=True)
  nothing = Instance("loglikelihood", {}, ("the", ""), 0)
  with pytest.raises(UsageError, match="has no tokens of its own"):
    ours.loglikelihood([nothing])


def test_our_tasks_find_what_the_harness_does(found, place):
  model = Answerer(load.load(str(place / "gpt2")))
  blimp, lambada = Blimp(), Lambada()
  blimp.place = str(place / "blimp.jsonl")
  lambada.place = str(place / "lambada.jsonl")
  own = blimp.measure(model, None).metrics
  for name in ("hf", "lm_jax whole"):
    results = found[name]["results"]["own_blimp"]
    assert own["blimp"] == pytest.approx(results["acc,none"], abs=5e-4)
  own = lambada.measure(model, None).metrics
  results = found["lm_jax whole"]["results"]["own_lambada"]
  assert own["lambada"] == pytest.approx(results["acc,none"], abs=5e-4)
  perplexity = results["perplexity,none"]
  assert own["lambada/perplexity"] == pytest.approx(perplexity, rel=1e-3)


def test_the_command_line(place, tmp_path):
  """As a program: the model is known, and what is wrong is one line."""

  def run(model, out):
    return subprocess.run(
      [
        *(sys.executable, "-m", "lm_jax.harness", "--model", "lm_jax"),
        *("--model_args", model, "--tasks", "own_lambada"),
        *("--include_path", str(place), "--output_path", str(out)),
      ],
      capture_output=True,
      text=True,
      check=False,
    )

  done = run(f"pretrained={place}/gpt2", tmp_path)
  assert done.returncode == 0, done.stderr
  assert "own_lambada" in done.stdout
  for model, message in (
    ("pretrained=/none", "lm_jax: --model_args pretrained=/none: not a run"),
    (
      f"pretrained={place}/gpt2,dtype=half",
      "lm_jax: --model_args dtype=half: unknown; valid: pretrained",
    ),
  ):
    done = run(model, tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
