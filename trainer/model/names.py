"""Names and numbers of a SavedModel; imports nothing, so that every command may read them."""

SERVING_DIR = "Format-Serving"  # of a model artifact: where TFX keeps its SavedModel
SAVED_MODEL_FILE = "saved_model.pb"
EXTRA_DIR = "assets.extra"
IDENTITY_NAME = "descriptor.json"
IDENTITY_FILE = f"{EXTRA_DIR}/{IDENTITY_NAME}"  # what the model says about itself
CARD_FILE = f"{EXTRA_DIR}/MODEL_CARD.md"  # the same for people

SERVING_SIGNATURE = "serving_default"
RECORDS_SIGNATURE = "serialized_records"
UINT8_SIGNATURE = "uint8_descriptors"  # only of descriptors of unit length
PATCHES_INPUT = "patches"
RECORDS_INPUT = "records"
OUTPUT = "descriptors"

LEAST_SQUARED_NORM = 1e-12  # of a descriptor that is divided by its length
