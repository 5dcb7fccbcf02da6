"""Names that several packages share; imports nothing heavy, so that every command may read them."""

from typing import Literal, get_args

TaskName = Literal["verification", "matching", "retrieval"]
TASK_NAMES = get_args(TaskName)
"""HPatches' tasks, in the order of reports."""
VERIFICATION, MATCHING, RETRIEVAL = TASK_NAMES
PAIR_SETS = INTER, INTRA = ("inter", "intra")
"""Verification's sets of negative pairs, in the order of the scores."""

CANDIDATE = "candidate"  # the model that the gate judges, among what was scored
PRODUCTION = "production"  # the model in production, likewise
CODE_FINGERPRINT_KEY = "code_fingerprint"  # of components: part of their cache key

ROOTSIFT = "rootsift"
ROOTSIFT_SMOOTHED = "rootsift-smoothed"
