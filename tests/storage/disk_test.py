import errno

import pytest

from lm_jax.storage import disk
from lm_jax.support.errors import UsageError


def _raised(error, cause=None):
  with disk.disk_errors_as_usage("--workdir=x", "; wait"):
    raise error from cause


@pytest.mark.parametrize(
  ("number", "words"),
  [
    (errno.ENOSPC, "No space left on device"),
    (errno.EROFS, "Read-only file system"),
    (errno.EACCES, "Permission denied"),
  ],
)
def test_what_the_disk_says_is_named(number, words):
  plain = OSError(number, "whatever")
  # As orbax has it, and wrapped as a library may.
  text = f"DATA_LOSS: Failed writing: it says [os_error_code='{number}']"
  for error, cause in (
    (plain, None),
    (ValueError(text), None),
    (RuntimeError("a save failed"), plain),
  ):
    with pytest.raises(UsageError) as found:
      _raised(error, cause)
    assert str(found.value) == f"--workdir=x: can't be written: {words}; wait"


def test_other_errors_are_themselves():
  for error in (
    OSError(errno.ENOENT, "missing"),
    ValueError("[os_error_code='2'"),
    UsageError("as it was"),
    KeyError("x"),
  ):
    with pytest.raises(type(error)) as found:
      _raised(error)
    assert found.value is error


def test_a_write_that_fails_for_real(tmp_path):
  with (
    pytest.raises(UsageError, match="No space left on device"),
    disk.disk_errors_as_usage("--workdir=x"),
    open("/dev/full", "w") as file,
  ):
    file.write("x")
