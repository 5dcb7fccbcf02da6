"""Names that several packages share; imports nothing, so that every command may read them."""

TASK_NAMES = ("verification", "matching", "retrieval")  # HPatches' tasks, in the order of reports

CANDIDATE = "candidate"  # the model that the gate judges, among what was scored
PRODUCTION = "production"  # the model in production, likewise

SERVING_FOLDER = "Format-Serving"  # of a model artifact: where TFX keeps its SavedModel
SAVED_MODEL_FILE = "saved_model.pb"
