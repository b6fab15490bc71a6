"""A SLURM of one node, started for a test, without systemd and accounting.

It needs Debian's packages slurm-wlm and munge, and root, as which its daemons
and its jobs run. Everything lies in one directory, ports and keys are its own,
so several of them, and one of the machine itself, do not meet.
"""

import contextlib
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

_DAEMONS = ("munged", "slurmctld", "slurmd")
_CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "setpriv")
_SECONDS = 30  # until something that was asked for must be so
_BEGUN = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED"}


def missing():
  """Says what this machine lacks for a SLURM of its own; "" if nothing."""
  absent = [name for name in (*_DAEMONS, *_CLIENTS) if not _which(name)]
  if absent:
    return (
      f"{', '.join(absent)}: not installed (apt-get install"
      " --no-install-recommends slurm-wlm munge)"
    )
  return "" if os.geteuid() == 0 else "munged and slurmd are started as root"


def _which(name):
  # The daemons lie where only root looks.
  return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def until(condition, seconds=_SECONDS, every=0.05, what=""):
  """Waits until a function returns something true, which it returns."""
  deadline = time.monotonic() + seconds
  while not (value := condition()):
    assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
    time.sleep(every)
  return value


class OneNode:
  """A controller and one node, which run within the context.

  environment: for programs that talk to it, such as sbatch.

  Args:
    cpus: of the node, whatever this machine has.
    settings: further lines of slurm.conf.
  """

  def __init__(self, cpus=2, **settings):
    # Sockets have short names, which pytest's directories are too long for.
    self.directory = pathlib.Path(tempfile.mkdtemp(prefix="slurm-"))
    self._conf = self.directory / "slurm.conf"
    self.environment = os.environ | {"SLURM_CONF": str(self._conf)}
    self._daemons = {}
    self._written = {"cpus": cpus, **settings}

  def __enter__(self):
    try:
      self._write()
      self._start_munged()
      self.start_controller()
      self._start("slurmd", _which("slurmd"), "-D", "-f", self._conf)
      until(self._is_idle, what="an idle node")
    except BaseException:
      self.__exit__()
      raise
    return self

  def __exit__(self, *_):
    # Nothing here may hide what a test has raised.
    with contextlib.suppress(subprocess.SubprocessError, AssertionError):
      if self._daemons.get("slurmctld"):
        self.client("scancel", "--full", "--signal=KILL", "--user=root")
        until(self._emptied, every=0.2, what="no job is left")
    for name in ("slurmd", "slurmctld", "munged"):
      self._stop(name)
    # What is still there of jobs, of their steps, and who waits for them.
    for number in self.processes():
      with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)
    until(lambda: not self.processes(), what="no process is left")
    shutil.rmtree(self.directory)

  def client(self, *words, check=True, **options):
    """Runs one of SLURM's programs; returns what it prints."""
    done = subprocess.run(
      list(map(str, words)),
      env=self.environment,
      capture_output=True,
      text=True,
      check=False,
      timeout=_SECONDS,
      **options,
    )
    if check and done.returncode:
      raise subprocess.SubprocessError(f"{words}: {done.stderr}")
    return done.stdout

  def jobs(self):
    """Returns the state of each job, also of ended ones, by "12" or "12_3"."""
    lines = self.client(
      *("squeue", "--states=all", "--array", "--noheader"),
      "--format=%i %T",
    )
    return dict(line.split() for line in lines.splitlines())

  def active(self):
    """Returns the numbers of the jobs that have not ended."""
    return [job for job, state in self.jobs().items() if state in _BEGUN]

  def _emptied(self):
    # Again and again, as a job that saw the signal may requeue itself.
    self.client("scancel", "--user=root")
    return not self.active()

  def ids(self):
    """Returns the number by which scontrol knows each job of an array."""
    lines = self.client(
      *("squeue", "--states=all", "--array", "--noheader"),
      "--format=%i %A",
    )
    return dict(line.split() for line in lines.splitlines())

  def hurry(self):
    """Lets jobs that wait for two minutes, as requeued ones do, start now."""
    for job, state in self.jobs().items():
      if state == "PENDING":
        words = ("scontrol", "update", f"JobId={job}", "StartTime=now")
        self.client(*words, check=False)

  def stop_controller(self):
    """Stops the controller with -9, as a crash would; jobs go on."""
    self._stop("slurmctld", signal.SIGKILL)

  def start_controller(self):
    """Starts the controller, which finds what a former one has kept."""
    self._start("slurmctld", _which("slurmctld"), "-D", "-f", self._conf)
    until(self._answers, what="the controller answers")

  def processes(self):
    """Returns the numbers of all processes that have this SLURM's slurm.conf.

    Jobs inherit it from slurmd, and so does everything that they start.
    """
    wanted = f"SLURM_CONF={self._conf}".encode()
    numbers = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
      with contextlib.suppress(OSError):
        if wanted in path.read_bytes().split(b"\0"):
          numbers.append(int(path.parent.name))
    return numbers

  def logs(self):
    """Returns the ends of the daemons' logs, for messages."""
    files = sorted(self.directory.glob("*.log"))
    return "\n".join(
      f"{p.name}:\n{p.read_text(errors='replace')[-2000:]}" for p in files
    )

  def _answers(self):
    done = self.client("scontrol", "ping", check=False)
    return "is UP" in done

  def _is_idle(self):
    # "idle*" is a node that has not answered yet.
    state = self.client("sinfo", "--noheader", "--format=%T", check=False)
    return state.strip() == "idle"

  def _start(self, name, *words):
    # It ends with the tests, should they be killed.
    words = ("setpriv", "--pdeathsig=TERM", *words)
    with (self.directory / f"{name}.out.log").open("ab") as out:
      self._daemons[name] = subprocess.Popen(
        list(map(str, words)),
        env=self.environment,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        start_new_session=True,
      )

  def _stop(self, name, number=signal.SIGTERM):
    process = self._daemons.pop(name, None)
    if process is None:
      return
    process.send_signal(number)
    try:
      process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
      process.kill()
      process.wait()

  def _start_munged(self):
    place = self.directory / "munge"
    place.mkdir(mode=0o755)
    key = place / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    for path in (place, key):
      shutil.chown(path, "munge", "munge")
    self._start(
      "munged",
      *("--reuid=munge", "--regid=munge", "--clear-groups", _which("munged")),
      *("--foreground", "--num-threads=2", f"--key-file={key}"),
      *(f"--socket={place / 'socket'}", f"--pid-file={place / 'pid'}"),
      *(f"--seed-file={place / 'seed'}", f"--log-file={place / 'log'}"),
    )
    until((place / "socket").exists, what="munged's socket")

  def _write(self):
    self.directory.chmod(0o755)
    for name in ("state", "spool"):
      (self.directory / name).mkdir()
    node = socket.gethostname().partition(".")[0]
    written = dict(self._written)
    cpus = written.pop("cpus")
    settings = {
      "ClusterName": "test",
      "SlurmctldHost": f"{node}(127.0.0.1)",
      "SlurmctldPort": _free_port(),
      "SlurmdPort": _free_port(),
      "CommunicationParameters": "NoCtldInAddrAny,NoInAddrAny",
      "SlurmUser": "root",
      "SlurmdUser": "root",
      "AuthType": "auth/munge",
      "CredType": "cred/munge",
      "AuthInfo": f"socket={self.directory / 'munge' / 'socket'}",
      "StateSaveLocation": self.directory / "state",
      "SlurmdSpoolDir": self.directory / "spool",
      "SlurmctldPidFile": self.directory / "slurmctld.pid",
      "SlurmdPidFile": self.directory / "slurmd.pid",
      "SlurmctldLogFile": self.directory / "slurmctld.log",
      "SlurmdLogFile": self.directory / "slurmd.log",
      "ProctrackType": "proctrack/linuxproc",
      "TaskPlugin": "task/none",
      "JobAcctGatherType": "jobacct_gather/none",
      "SelectType": "select/cons_tres",
      "SelectTypeParameters": "CR_Core",
      "MpiDefault": "none",
      "ReturnToService": 2,
      "KillWait": 10,
      "SchedulerParameters": "batch_sched_delay=1,sched_interval=2",
      **written,
    }
    lines = [f"{name}={value}" for name, value in settings.items()]
    lines += [
      f"NodeName={node} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000",
      f"PartitionName=main Nodes={node} Default=YES MaxTime=INFINITE"
      " State=UP OverSubscribe=NO",
    ]
    self._conf.write_text("\n".join(lines) + "\n")


def _free_port():
  with socket.socket() as tried:
    tried.bind(("127.0.0.1", 0))
    return tried.getsockname()[1]
