"""Names that several packages share; imports nothing heavy, so that every command may read them."""

from typing import Literal, get_args

TaskName = Literal["verification", "matching", "retrieval"]
TASK_NAMES = get_args(TaskName)  # HPatches' tasks, in the order of reports
VERIFICATION, MATCHING, RETRIEVAL = TASK_NAMES
# Verification's sets of negative pairs, in the order of the scores.
PAIR_SETS = INTER, INTRA = ("inter", "intra")

CANDIDATE = "candidate"  # the model that the gate judges, among what was scored
PRODUCTION = "production"  # the model in production, likewise
ROOTSIFT = "rootsift"
ROOTSIFT_SMOOTHED = "rootsift-smoothed"

# Components, as the metadata and the compiled pipeline name them.
EXAMPLE_GEN = "PatchExampleGen"
TRAINER = "DescriptorTrainer"
EVALUATOR = "DescriptorEvaluator"
PRODUCTION_MODEL = "ProductionModel"
PUSHER = "Pusher"
REPORT = "EvaluationReport"

# Their outputs, and the inputs of those that take them.
EXAMPLES_KEY = "examples"
MODEL_KEY = "model"
MODEL_RUN_KEY = "model_run"
EVALUATION_KEY = "evaluation"
CARD_SCORES_FILE = "MODEL_CARD_SCORES.md"  # beside the blessing: for the card of a pushed model
CODE_FINGERPRINT_KEY = "code_fingerprint"  # a parameter: part of the cache key
