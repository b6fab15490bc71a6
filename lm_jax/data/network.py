"""Checks that a host answers before TFDS tries for minutes."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

SECONDS = 4  # that a host has to answer


def require(url: str) -> None:
  """Raises OSError unless the host of a URL, or its proxy, can be reached."""
  import requests

  proxies = requests.utils.get_environ_proxies(url)
  asked = requests.utils.select_proxy(url, proxies) or url
  parts = urllib.parse.urlsplit(asked)
  port = parts.port or (80 if parts.scheme == "http" else 443)
  host = parts.hostname or ""
  # Neither looking up a name nor several addresses have a limit of time.
  ended: list[str] = []

  def connect() -> None:
    try:
      socket.create_connection((host, port), SECONDS).close()
      ended.append("")
    except OSError as error:
      ended.append(error.strerror or str(error))

  thread = threading.Thread(target=connect, daemon=True)
  thread.start()
  thread.join(SECONDS)
  why = ended[0] if ended else f"no answer within {SECONDS} s"
  if why:
    raise OSError(f"{host} can't be reached: {why}")


@contextlib.contextmanager
def checked() -> Iterator[None]:
  """Makes TFDS, which tries ten times, check first that the host answers."""
  from tensorflow_datasets.core.download import downloader

  opening, known = downloader._open_url, set()

  def open_url(url: str, **options: Any) -> Any:
    host = urllib.parse.urlsplit(url).netloc
    if url.startswith("http") and host not in known:
      require(url)
      known.add(host)
    return opening(url, **options)

  downloader._open_url = open_url
  try:
    yield
  finally:
    downloader._open_url = opening
