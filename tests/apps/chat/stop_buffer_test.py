from hypothesis import given
from hypothesis import strategies as st

from lm_jax.apps.chat.stop_buffer import StopBuffer


@given(
  text=st.text("ab \n", max_size=30),
  stops=st.lists(st.text("ab\n", min_size=1, max_size=3), max_size=2),
  size=st.integers(1, 4),
)
def test_nothing_that_is_shown_is_taken_back(text, stops, size):
  # As a generation gives them: up to the end of the first stop string.
  ends = [text.index(s) + len(s) for s in stops if s in text]
  given_text = text[: min(ends)] if ends else text
  stop_buffer, shown = StopBuffer(stops), ""
  for at in range(0, len(given_text), size):
    stop_buffer.append(given_text[at : at + size])
    shown += stop_buffer.news()
  shown += stop_buffer.news(last=True)
  found = next((s for s in stops if given_text.endswith(s)), "")
  assert shown == stop_buffer.text == given_text.removesuffix(found).strip()
