"""Measures that count words, of texts in any script."""

import importlib.util
import random
import sys

import pytest

from lm_jax.config import from_json
from lm_jax.data import words
from lm_jax.examples.forms import Question, Rewriting, Span
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _repetition
from lm_jax.tasks.dailydialog import Dailydialog, distinct
from lm_jax.tasks.gsm8k import Gsm8k
from lm_jax.tasks.multi30k import Multi30k
from lm_jax.tasks.squad import Squad
from lm_jax.tasks.xquad import Xquad
from lm_jax.tasks.xsum import Xsum

SUMMARIES = {
  "hi": "नदी पर नया पुल अगले साल खुलेगा।",
  "zh": "新桥将于明年开放，市长今天宣布。",
  "ru": "Новый мост откроют в будущем году.",
  "ja": "新しい橋は来年開通する。",
  "th": "สะพานใหม่จะเปิดในปีหน้า",
  "ko": "새 다리는 내년에 개통한다.",
  "ar": "سيفتح الجسر الجديد العام المقبل.",
  "el": "Η νέα γέφυρα ανοίγει του χρόνου.",
  "signs": "?!",
}


def rouge(told, right):
  return Xsum().judge([told], [Rewriting("0", "x", (right,))]).metrics


@pytest.mark.parametrize("text", SUMMARIES.values(), ids=SUMMARIES)
def test_texts_that_are_the_same_have_rouge_1_in_every_script(text):
  pytest.importorskip("rouge_score")
  assert rouge(text, text) == dict.fromkeys(
    ("rouge1", "rouge2", "rougeL", "rougeLsum"), 1.0
  )
  assert rouge("a summary", text)["rougeL"] == 0
  assert rouge("", text)["rougeL"] == 0


def test_rouge_of_other_scripts_by_hand():
  pytest.importorskip("rouge_score")
  # Five of six characters, in their order; 4 of 5 bigrams.
  found = rouge("今天天气很", "今天天气很好。")
  assert found["rouge1"] == pytest.approx(2 * 5 / (5 + 6))
  assert found["rouge2"] == pytest.approx(2 * 4 / (4 + 5))
  # Words, and English ones among them stemmed.
  found = rouge("мост iPhones открыт", "новый мост открыт iPhone")
  assert found["rouge1"] == pytest.approx(2 * 3 / (3 + 4))
  assert found["rougeL"] == pytest.approx(2 * 2 / (3 + 4))
  two = [Rewriting("0", "x", ("мост",)), Rewriting("1", "x", ("bridge",))]
  assert Xsum().signatures(two)["rougeL"] == (
    "words of their own script: 1 of 2 examples"
  )
  assert Xsum().signatures(two[1:]) == {}


def test_rouge_of_english_is_rouge_scores():
  scorer = pytest.importorskip("rouge_score.rouge_scorer")
  names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
  official = scorer.RougeScorer(names, use_stemmer=True)
  rng = random.Random(0)
  signs = ["bridges", "the", "opened", "café", "β", "北京", "“so”", "5,000"]
  signs += ["running", "mayor's", "state-of-the-art", "£3m", "Über", "1990s"]
  for _ in range(50):
    told, right = (
      " ".join(rng.choices(signs, k=rng.randint(5, 12))) for _ in range(2)
    )
    wanted = official.score(right, told)
    for name, value in rouge(told, right).items():
      assert value == wanted[name].fmeasure


def test_words_keep_marks_and_part_scripts():
  assert words.mixed_words("मैं हिन्दी!") == ["मैं", "हिन्दी"]
  assert words.mixed_words("می\u200cخواهم") == ["میخواهم"]
  assert words.mixed_words("ＡＢ今天3日") == ["ab", "今", "天", "3", "日"]
  assert words.mixed_words("ที่นี่") == ["ที่", "นี่"]
  assert words.split("Don't, 北京!") == ["Don't,", "北京!"]


def question(context, answer):
  return Question("1", "", context, "?", (Span(answer, context.index(answer)),))


def test_answers_without_spaces_have_an_f1_of_characters():
  example = question("这所大学在北京市海淀区。", "北京市海淀区")
  metrics, _ = Xquad().judge(["北京市"], [example])
  assert metrics["exact_match"] == 0
  assert metrics["f1"] == pytest.approx(2 * 3 / (3 + 6))
  metrics, _ = Xquad().judge(["北京市海淀区。"], [example])
  assert metrics == {"exact_match": 1, "f1": 1}
  # An English passage keeps the official rule, whatever its answer is.
  example = question("Beijing, in letters 北京市, is a city.", "北京市")
  assert Squad().judge(["北京"], [example]).metrics["f1"] == 0


def test_replies_and_repetition_without_spaces():
  metrics, scores = Dailydialog().judge(
    ["你好你好"], [Rewriting("1", "x", ("你好吗",))]
  )
  assert scores == [pytest.approx(2 * 2 / (4 + 3))]
  assert metrics["distinct_1"] == 2 / 4 and metrics["distinct_2"] == 2 / 3
  assert distinct(["你好"], 2) == 1
  assert _repetition.repetition(["你好你好你好"], 2) == pytest.approx(3 / 5)
  assert _repetition.distinct(["你好", "你好"], 1) == 0.5


@pytest.mark.parametrize(
  ("context", "right", "answer", "exact", "f1"),
  [
    ("他写了《红楼梦》。", "《红楼梦》", "红楼梦", 1, 1),
    ("会议在8月15日召开。", "8月15日", "1945年8月15日", 0, 2 * 4 / (4 + 6)),
    ("东京是日本的首都。", "东京。", "东京", 1, 1),
    ("นายกรัฐมนตรีพูด", "นายก", "นายกรัฐ", 0, 2 * 4 / (4 + 7)),
    ("वह दिल्ली में है।", "दिल्ली", "दिल्ली।", 1, 1),
    ("أين تقع القاهرة؟", "القاهرة", "القاهرة؟", 1, 1),
    ("Это «Война и мир».", "Война и мир", "«Война и мир»", 1, 1),
    ("He saw a cat.", "a cat", "the cat", 1, 1),
    # SQuAD's rule, which knows ASCII's punctuation alone.
    ("Er sah „Faust“.", "„Faust“", "Faust", 0, 0),
    ("1 + 1 = 2", "2", "2.", 1, 1),
  ],
)
def test_answers_are_split_as_their_passage_is(
  context, right, answer, exact, f1
):
  example = Question("1", "", context, "?", (Span(right, -1),))
  metrics, _ = Xquad().judge([answer], [example])
  assert metrics == pytest.approx({"exact_match": exact, "f1": f1})


def test_free_answers_end_in_any_full_stop():
  normal = Gsm8k().normal
  for text in ("正面。", "正面．", " 正面 ", "正面."):
    assert normal(text) == "正面"
  assert normal("हाँ।") == "हाँ" and normal("ہاں۔") == "ہاں"


def bleu_of(language, text="x y", bleu=""):
  task = Multi30k()
  task.bleu = bleu
  example = Rewriting("1", "x", (text,), "en", language)
  name = f"bleu/en-{language}"
  return task.signatures([example])[name].partition("tok:")[2].split("|")[0]


@pytest.mark.parametrize(
  ("languages", "name"),
  [
    (("zh", "ZH", "zh-CN", "zh_TW", "zho_Hans", "cmn", "yue", "lzh"), "zh"),
    (("th", "lo", "km", "khm", "my", "bo", "th-TH"), "char"),
    (("en", "de", "vi", "tr"), "13a"),
  ],
)
def test_bleu_has_the_words_of_a_language(languages, name):
  pytest.importorskip("sacrebleu")
  assert {bleu_of(language) for language in languages} == {name}
  assert bleu_of(languages[0], bleu="intl") == "intl"


def test_bleu_before_the_flag_was_without_mecab():
  pytest.importorskip("sacrebleu")
  assert bleu_of("ja", bleu="script") == "char"
  assert bleu_of("ko", bleu="script") == "13a"
  assert bleu_of("zh", bleu="script") == "zh"
  old = from_json('{"objective": "respond"}')
  assert old.objective_options["bleu"] == "script"


@pytest.mark.parametrize(
  ("language", "module"), [("ja", "MeCab"), ("ko", "mecab_ko")]
)
def test_bleu_of_japanese_and_korean_is_by_mecab(language, module, monkeypatch):
  pytest.importorskip("sacrebleu")
  if importlib.util.find_spec(module):
    assert bleu_of(language, "a b").startswith(f"{language}-mecab")
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(UsageError, match=rf"objective.bleu=char.*\[{language}\]"):
    Multi30k().require([Rewriting("1", "x", ("y",), "en", language)])


def test_bleu_of_scripts_without_spaces_is_of_characters():
  pytest.importorskip("sacrebleu")
  text = "ສະພານໃໝ່ຈະເປີດໃນປີໜ້າ"
  example = Rewriting("1", "x", (text,), "en", "lo")
  assert Multi30k().judge([text], [example]).metrics["bleu"] == (
    pytest.approx(100)
  )
  assert "tok:char" in Multi30k().signatures([example])["bleu/en-lo"]
