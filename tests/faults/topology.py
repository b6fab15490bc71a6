"""A run of 2 processes x 2 devices goes on as 1 x 4 or 1 x 1, and back."""

from __future__ import annotations

import shutil

import xla_flags

from . import forking, launching, two_processes

HOLDS = "digests equal on restore; losses within 1e-5 after 10 steps"
SHORT, LONG = 1, 6  # a trial takes a minute

# What is split over the four devices, and what a single process has.
MESHES = ("data=2,fsdp=2", "data=4", "fsdp=2,tensor=2")
DEVICES = (4, 1)


def setup(folder):
  return {"corpus": launching.write_corpus(folder / "corpus")}


def trial(seed, folder, shared):
  """Seeds run through all pairs of a mesh and a number of devices."""
  mesh = MESHES[seed // 2 % 3]
  devices = DEVICES[seed % 2]

  def command(name, mesh):
    return launching.train_command(
      folder / name,
      shared["corpus"],
      steps=30,
      eval_every=30,
      keep_last=3,
      mesh=mesh,
    )

  first = folder / "first"
  two_processes.finish(command("first", mesh), folder, 2)
  # From step 10 on one process, and from its step 20 on two again.
  _cut(first, folder / "one", 10)
  forking.finish(
    command("one", mesh if devices == 4 else ""),
    folder,
    XLA_FLAGS=xla_flags.devices(devices),
  )
  _cut(folder / "one", folder / "back", 20)
  two_processes.finish(command("back", mesh), folder, 2)
  for name, step in (("one", 10), ("back", 20)):
    # A restore compares the digests, or passes the step over.
    begun = [path.suffix for path in (folder / name / "events").iterdir()]
    assert f".{step}" in begun, f"{name} did not go on from step {step}"
    pairs = zip(_losses(folder / name, step), _losses(first, step), strict=True)
    worst = max(abs(a - b) for a, b in pairs)
    assert worst <= 1e-5, f"{name}: a loss differs by {worst}"


def _cut(source, target, step):
  """A copy of a run as it was when it had saved a step."""
  shutil.copytree(source, target, ignore=lambda *_: {"lock", "result.json"})
  for path in (target / "checkpoints").iterdir():
    if path.name.isdigit() and int(path.name) > step:
      shutil.rmtree(path)
  shutil.rmtree(target / "events")


def _losses(workdir, step):
  """Of the ten steps after one."""
  found = {
    line["step"]: line["loss"]
    for line in launching.metrics(workdir)
    if "loss" in line
  }
  return [found[n] for n in range(step + 1, step + 11)]
