"""What goes wrong for a reason that the user can mend; no heavy imports."""


class UsageError(ValueError):
  """Bad input: the message is for the user, and the exit code is 2."""
