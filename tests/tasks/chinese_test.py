"""Chinese reading, entities and summaries, in their published files."""

import json

import pytest
from json_lines import write

from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _cmrc
from lm_jax.tasks.c3 import C3
from lm_jax.tasks.cmrc2018 import Cmrc2018
from lm_jax.tasks.drcd import Drcd
from lm_jax.tasks.lcsts import Lcsts
from lm_jax.tasks.msra_ner import MsraNer
from lm_jax.tasks.weibo import Weibo
from lm_jax.tasks.xquad import Xquad

PASSAGE = "小明1998年生于北京，在北京大学读书。"


def write_json(path, value):
  path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


def own_form(*answers, name="DEV_0"):
  asked = {
    "query_id": f"{name}_QUERY_0",
    "query_text": "他在哪里读书？",
    "answers": list(answers),
  }
  return [
    {
      "context_id": name,
      "context_text": PASSAGE,
      "title": "小明",
      "qas": [asked],
    }
  ]


def squad_form(name, *answers):
  asked = {"id": f"{name}_QUERY_0", "question": "他在哪里读书？"}
  asked["answers"] = [{"text": t, "answer_start": s} for t, s in answers]
  paragraph = {"id": name, "context": PASSAGE, "qas": [asked]}
  return {"version": "v1.0", "data": [{"title": "", "paragraphs": [paragraph]}]}


def test_cmrc_in_both_of_its_forms(tmp_path):
  write_json(
    tmp_path / "cmrc2018_dev.json", own_form("北京大学", "在北京大学", 1998.0)
  )
  write_json(tmp_path / "cmrc2018_trial.json", squad_form("T", ("北京", 9)))
  write_json(tmp_path / "cmrc2018_train.json", {"data": own_form("北京")})
  # The development split is tested, and the trial split chooses checkpoints.
  read = Cmrc2018().examples
  [test], [dev], [train] = (
    read(split, str(tmp_path)) for split in ("test", "dev", "train")
  )
  answers = (
    Span("北京大学", 13),
    Span("在北京大学", 12),
    Span("1998.0", UNPLACED),
  )
  assert test == Question(
    "DEV_0_QUERY_0", "小明", PASSAGE, "他在哪里读书？", answers
  )
  assert dev.answers == (Span("北京", 9),)
  assert train.answers == (Span("北京", 9),)  # the first of two places
  for wrong, message in (
    (
      own_form(["a"]),
      r"\[0\], qas\[0\]: field answers=\[\['a'\]\]: must be a l",
    ),
    ([{"context_text": 3, "qas": []}], r"\[0\]: field context_text=3: must be"),
    ({"data": 3}, "has no list 'data'"),
  ):
    write_json(tmp_path / "cmrc2018_dev.json", wrong)
    with pytest.raises(UsageError, match=message):
      read("test", str(tmp_path))


def test_a_test_split_with_secret_answers_is_left_alone(tmp_path):
  write_json(tmp_path / "DRCD_dev.json", squad_form("d", ("北京", 9)))
  write_json(tmp_path / "DRCD_test.json", squad_form("t"))
  [one] = Drcd().examples("test", str(tmp_path))
  assert one.id == "d_QUERY_0"
  write_json(tmp_path / "DRCD_test.json", squad_form("t", ("大学", 15)))
  assert Drcd().examples("test", str(tmp_path))[0].id == "t_QUERY_0"
  assert Drcd().examples("dev", str(tmp_path))[0].id == "d_QUERY_0"


@pytest.mark.parametrize(
  ("answer", "right", "exact", "f1"),
  [
    ("北京大学", "北京大学", 1, 1),
    ("《北京大学》。", "北京大学", 1, 1),
    # 4 of 5 parts given, 4 of 4 wanted.
    ("在北京大学", "北京大学", 0, 8 / 9),
    # The longest common substring counts, not the bag: 2 of 4, where a bag has
    # 4 of 4.
    ("大学北京", "北京大学", 0, 1 / 2),
    # Runs of other text are words: iphone, 15 and 2, 3 of 4 parts.
    ("iPhone 15 第2", "IPHONE 15 第3", 0, 3 / 4),
    # Its list of punctuation has no ASCII full stop.
    ("北京.", "北京", 0, 2 / 2.5),
    ("上海", "北京", 0, 0),
    ("", "北京", 0, 0),
  ],
)
def test_measures_of_cmrc(answer, right, exact, f1):
  example = Question("1", "", PASSAGE, "?", (Span("错", 0), Span(right, 0)))
  judged = Cmrc2018().judge([answer], [example])
  assert judged.metrics == pytest.approx({"exact_match": exact, "f1": f1})
  assert judged.scores == pytest.approx([f1])


def test_longest_common_substring_against_all_pairs_of_places():
  def slow(a, b):
    return max(
      (n for n in range(len(a) + 1) for i in range(len(a) - n + 1)
       if a[i : i + n] in b),
      default=0,
    )  # fmt: skip

  for a in ("", "甲", "甲乙丙甲乙", "乙丙丁甲乙甲", "甲甲甲"):
    for b in ("", "乙甲", "丙甲乙丁", "甲甲", "乙丙甲乙甲乙丙"):
      assert _cmrc._longest(list(a), list(b)) == slow(a, b), (a, b)


def test_xquad_in_another_language_is_its_file(tmp_path):
  write_json(tmp_path / "xquad.zh.json", squad_form("z", ("北京大学", 13)))
  place = str(tmp_path / "xquad.zh.json")
  [one] = Xquad().examples("test", place)
  assert one.answers == (Span("北京大学", 13),)
  # Characters are words, as in MLQA: a bag of them, without punctuation.
  metrics = Xquad().judge(["在北京大学。"], [one]).metrics
  assert metrics == pytest.approx({"exact_match": 0, "f1": 8 / 9})


def c3_document(name, choices, answer):
  question = {"question": "谁来了？", "choice": choices, "answer": answer}
  return [["男：她来了。", "女：谁？"], [question], name]


def test_c3_has_two_parts_and_two_to_four_choices(tmp_path):
  two, four = ["她", "他"], ["甲", "乙", "丙", "丁"]
  write_json(tmp_path / "c3-d-test.json", [c3_document("1-2", two, "他")])
  write_json(tmp_path / "c3-m-test.json", [c3_document("3-4", four, "甲")])
  write_json(tmp_path / "c3-m-dev.json", [c3_document("5-6", four, "丁")])
  first, second = C3().examples("test", str(tmp_path))
  assert (first.id, first.label) == ("dialogue/1-2-0", "1")
  assert (second.id, second.label) == ("mixed/3-4-0", "0")
  context = "男：她来了。\n女：谁？"
  assert C3().candidates(first) == {
    "0": (context, "谁来了？", "她"),
    "1": (context, "谁来了？", "他"),
  }
  assert len(C3().candidates(second)) == 4
  judged = C3().judge(["1", "2"], [first, second])
  assert judged.metrics == {"accuracy": 0.5, "dialogue": 1.0, "mixed": 0.0}
  # CLUE's names; without answers, the development split is tested.
  write_json(tmp_path / "c3-d-test.json", [c3_document("1-2", two, "")])
  write_json(tmp_path / "d-dev.json", [c3_document("7-8", two, "她")])
  tested = C3().examples("test", str(tmp_path))
  assert [x.id for x in tested] == ["dialogue/7-8-0", "mixed/5-6-0"]
  assert C3().examples("dev", str(tmp_path)) == []
  # The form of Hugging Face and TFDS.
  record = {"question": "?", "choice": two, "answer": "她"}
  records = [record | {"id": i, "context": [f"第{i}"]} for i in range(10)]
  write(tmp_path / "flat.jsonl", records)
  assert len(C3().examples("train", str(tmp_path / "flat.jsonl"))) == 8


@pytest.mark.parametrize(
  ("document", "message"),
  [
    (
      c3_document("1", ["甲", "乙"], "丙"),
      "answer '丙': is none of its choices",
    ),
    (c3_document("1", ["甲"], "甲"), r"field choice=\['甲'\]: must be 2 to 4"),
    (c3_document("1", list("甲乙丙丁戊"), "甲"), "must be 2 to 4 texts"),
    ([["a"], [3], "1"], r"\[0\], question 0: must be an object, not 3"),
    ([["a"], []], r"\[0\]=.*: must be a list of texts, a list of questions"),
  ],
)
def test_what_is_wrong_with_c3_is_told(tmp_path, document, message):
  path = tmp_path / "c3-d-dev.json"
  write_json(path, [document])
  with pytest.raises(UsageError, match=message):
    C3().examples("test", str(tmp_path))


def test_weibo_without_places_in_words(tmp_path):
  rows = ["张0 B-PER.NAM", "三1 I-PER.NAM", "老0 I-PER.NOM", "师1 I-PER.NOM"]
  text = "\n".join(row.replace(" ", "\t") for row in rows)
  (tmp_path / "weiboNER_2nd_conll.train").write_text(f"{text}\n", "utf-8")
  (tmp_path / "weiboNER_2nd_conll.dev").write_text("他\tO\n20\tO\n", "utf-8")
  (tmp_path / "weiboNER_2nd_conll.test").write_text("80\tO\n后1\tO\n", "utf-8")
  [one] = Weibo().examples("train", str(tmp_path))
  assert one.words == tuple("张三老师")
  # An I after another kind begins an entity.
  tags = ("B-PER.NAM", "I-PER.NAM", "B-PER.NOM", "I-PER.NOM")
  assert one.tags == tags
  # "20" may be a word: not all words of that file have a place.
  assert Weibo().examples("dev", str(tmp_path))[0].words == ("他", "20")
  assert Weibo().examples("test", str(tmp_path))[0].words == ("8", "后")
  wrong = ["B-PER.NAM", "I-PER.NAM", "I-PER.NAM", "O"]
  metrics = Weibo().judge([wrong], [one]).metrics
  assert metrics["f1"] == 0.0
  (tmp_path / "weiboNER_2nd_conll.test").write_text("我\tX-PER\n", "utf-8")
  with pytest.raises(UsageError, match="test, line 1: tag 'X-PER': must be O"):
    Weibo().examples("test", str(tmp_path))


def test_msra_in_bio_and_bmes(tmp_path):
  rows = ["中\tB-ORG", "共\tI-ORG", "在\tO", "京\tB-LOC"]
  (tmp_path / "msra_train_bio.txt").write_text("\n".join(rows), "utf-8")
  rows = ["中\tB-ORG", "央\tM-ORG", "台\tE-ORG", "在\tO", "京\tS-LOC"]
  (tmp_path / "msra_test_bio.txt").write_text("\n".join(rows), "utf-8")
  [train], [test] = (
    MsraNer().examples(split, str(tmp_path)) for split in ("train", "test")
  )
  assert train.tags == ("B-ORG", "I-ORG", "O", "B-LOC")
  assert test.tags == ("B-ORG", "I-ORG", "I-ORG", "O", "B-LOC")
  assert MsraNer().judge([list(test.tags)], [test]).metrics["f1"] == 1.0


def lcsts_pair(number, summary, text, label=""):
  return (
    f"<doc id={number}>\n{label}    <summary>\n        {summary}\n"
    f"    </summary>\n    <short_text>\n        {text}\n    </short_text>\n"
    "</doc>\n"
  )


def test_lcsts_leaves_out_what_does_not_fit(tmp_path, caplog):
  label = "    <human_label>{}</human_label>\n"
  (tmp_path / "PART_I.txt").write_text(
    lcsts_pair(0, "下雨了", "今天北京下雨了。") * 2, "utf-8"
  )
  (tmp_path / "PART_III.txt").write_text(
    lcsts_pair(0, "不符", "今天", label.format(2))
    + lcsts_pair(1, "北京下雨", "今天北京下雨了。", label.format(3)),
    "utf-8",
  )
  assert len(Lcsts().examples("train", str(tmp_path))) == 2
  [one] = Lcsts().examples("test", str(tmp_path))
  assert (one.id, one.source) == ("1", "今天北京下雨了。")
  assert one.references == ("北京下雨",)
  assert "1 pairs with a human_label below 3 are left out" in caplog.text
  # By characters: 北京 of 北京雨 and 北京下雨; three of four and of three.
  metrics = Lcsts().judge(["北京雨"], [one]).metrics
  assert metrics["rouge1"] == pytest.approx(6 / 7)
  assert metrics["rouge2"] == pytest.approx(2 / 5)
  assert metrics["rougeL"] == pytest.approx(6 / 7)
  write(tmp_path / "train.jsonl", [{"summary": "短", "text": "长长"}])
  (tmp_path / "PART_I.txt").unlink()
  [pair] = Lcsts().examples("train", str(tmp_path))
  assert (pair.source, pair.references) == ("长长", ("短",))


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("今天\n", "line 1: '今天': must be <doc id=...>"),
    ("<doc id=0>\n<summary>a</summary>\n", "line 1: its <doc> has no </doc>"),
    (
      "\n<doc id=0>\n<summary>a</summary></doc>",
      "line 2: its <doc> has no <short_text>, or an empty one",
    ),
    (
      lcsts_pair(0, "a", "b", "<human_label>9</human_label>"),
      "line 1: human_label='9': must be 1 to 5",
    ),
  ],
)
def test_what_is_wrong_with_lcsts_is_told(tmp_path, text, message):
  (tmp_path / "PART_III.txt").write_text(text, "utf-8")
  with pytest.raises(UsageError, match=message):
    Lcsts().examples("test", str(tmp_path))
