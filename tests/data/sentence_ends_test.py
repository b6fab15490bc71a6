"""Sentences as readers of each language would part them."""

import hypothesis
import hypothesis.strategies as st
import pytest

from lm_jax.data import sentence_ends
from lm_jax.data.text import sentence_starts, sentences

# The sentences of a text, with | between them.
CASES = {
  "zh": "他们到了。|谁在那里？|她问：“是你吗？”|没有人回答……|门开了。",
  "zh_said": "“快走！”老师喊道。|“我知道。”|我知道他是谁。",
  "zh_stammer": "我……我不知道。|书名是《你好吗？》，很有趣（真的！）。|好。",
  "zh_inside": "她喊了一声“救命！”就跑了。|气温是３．５度。|真的?|是!|好",
  "zh_hant": "「你是誰？」她問。|他說：「朋友。」|「不信！」|她笑了。",
  "ja": "本を読んだ。|「行こう！」と彼は言った。|『何？』って聞いた。|はい！",
  "hi": "यह घर है।|वह कहाँ है?|मैं जाता हूँ॥ |अच्छा!",
  "ar": "قال د. أحمد نعم.|هل ذهب؟|ذهب!|ثم عاد.",
  "he": "כך כתב א. ב. כהן.|מה?|כן.",
  "ru": "Он жил в г. Москва в 1990 г.|Потом уехал.|См. рис. 3 и стр. 5."
  "|А. С. Попов и т. д.|Это был я.|Нет.",
  "el": "Τι κάνεις;|Καλά· εσύ;|Ο κ. Γιάννης ήρθε.",
  "hy": "Սա տուն է։|Նա եկավ։",
  "my": "ဒါက အိမ်၊ ကျောင်း။|သူ လာတယ်။",
  "de": "Am 3. Mai und im 19. Jahrhundert, bzw. Berlin, Nr. 5.|Ich bin 12."
  "|„Gut.“|»Na?«|Er ging.",
  "fr": "M. É. Zola et Mme Curie.|« Oui. »|Où ?|Là !",
  "ko": "네.|저는 갑니다.|어디요?",
  "en": "I am 12.|He is the 3.|May came.|She said “no.”|It’s fine – Yes.",
  "th": "วันนี้อากาศดีมากเราไปเที่ยวทะเลกับครอบครัว| พรุ่งนี้ฝนจะตกหนักมากจริงๆ"
  " ดร. สมชาย ไม่ไป",
}


@pytest.mark.parametrize("language", CASES)
def test_sentences(language):
  parts = [part.strip() for part in CASES[language].split("|")]
  wide = language.startswith(("zh", "ja"))
  assert sentences(("" if wide else " ").join(parts)) == parts


def test_stops_of_a_document_are_not_all_ends():
  assert sentences("版本3．5。") == ["版本3．5。"]
  assert sentences("。。。") == ["。。。"]


_SIGNS = "ab A.!?… \"'”’»“‘«‹)]。！？」』》）：，了说道รก์я Г.к;ΑέÉ13\n„–я॥।و"


@hypothesis.given(st.text(_SIGNS, max_size=60))
def test_texts_of_the_older_rule_are_known(text):
  """Rows of a corpus keep their name where no text is told to differ."""
  starts = sentence_starts(text)
  assert starts == sorted(set(starts)) and starts[0] == 0
  assert all(text[start:].strip() for start in starts[1:])
  if not sentence_ends.differs(text):
    assert starts == sentence_starts(text, "every")


@pytest.mark.parametrize(
  "part",
  [
    *("Am 3. Mai. ", "bzw. Er ", "Nr. 3", "Der 3. Mann. ", "5. Mai ging. "),
    *("„Ja.“ Er", "Ja. „Er", "Там. Да", "好。好", "Ja.« Er", "É. Zola"),
  ],
)
def test_texts_of_the_newer_rule_are_told(part):
  assert sentence_ends.differs(f"So it is. {part} And so on.")
