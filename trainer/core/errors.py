"""The one error that is meant for the person at the terminal."""


class UserError(Exception):
    """Something the user can put right, told in one sentence.

    The message names the file, key or value, says what was found and what was
    expected. The command line prints it without a traceback and exits with 2;
    everything else that is raised is a bug and keeps its traceback.
    """
