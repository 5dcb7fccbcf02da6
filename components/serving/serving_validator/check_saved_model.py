"""Loads a SavedModel as a stranger would and tries what its interface promises.

A script of its own: `python -I check_saved_model.py REQUEST.json RESULT.json`. It imports
TensorFlow and NumPy alone and refuses to import the project, so that a model which only
works beside the code that made it is found out here and not in production.

The request holds `model` (SavedModel), `patches` (.npy, uint8 [B, 16, 65, 65]), `records`
(TFRecord of the same B points), `blocked` (package names that must not be
imported) and `tolerance`. The result holds `checks` (name, passed, detail), `warnings`,
`latency` and `identity`.
"""

import json
import os
import statistics
import sys
import threading
import time
import traceback

import numpy as np

SIGNATURES = {
    "serving_default": ("patches", "uint8", "descriptors"),
    "serialized_records": ("records", "string", "descriptors"),
}
SIZES = ((65, 65), (32, 32), (48, 64))
BATCHES = (7, 1)
LATENCY_BATCH = 256
LATENCY_REPEATS = 5


class RefuseProject:
    """An import hook that turns every import of project code into an error."""

    def __init__(self, blocked):
        """Takes the top-level package names to refuse."""
        self._blocked = frozenset(blocked)

    def find_spec(self, name, path=None, target=None):
        """Raises for a blocked package and leaves the others to Python."""
        if name.partition(".")[0] in self._blocked:
            raise ImportError(f"{name} is project code, which a model server does not have")


class Report:
    """Collects the outcome of the checks."""

    def __init__(self):
        """Starts empty."""
        self.checks = []
        self.warnings = []
        self.latency = {}
        self.identity = None

    def check(self, name, passed, detail):
        """Notes one check; `detail` says what was found if it failed."""
        entry = {"name": name, "passed": bool(passed), "detail": "" if passed else detail}
        self.checks.append(entry)
        return bool(passed)

    def attempt(self, name, function, *arguments):
        """Calls a group of checks; an exception fails the group instead of ending the script."""
        try:
            return function(*arguments)
        except Exception as error:
            self.check(name, False, f"{type(error).__name__}: {_first_line(error)}")
            traceback.print_exc()
            return None


def end_with_parent():
    """Ends this process when its standard input ends: whoever started it was killed."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main(request_path, result_path):
    """Runs every check and writes the result."""
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    sys.meta_path.insert(0, RefuseProject(request["blocked"]))
    report = Report()
    model = report.attempt("load", load, request, report)
    if model is not None:
        identity = report.attempt("identity", read_identity, request["model"], report)
        run_checks(model, identity or {}, request, report)
    with open(result_path, "w", encoding="utf-8") as file:
        json.dump(vars(report), file)


def load(request, report):
    """Loads the SavedModel; its signatures must have the agreed names and types."""
    import tensorflow as tf

    started = time.perf_counter()
    model = tf.saved_model.load(request["model"])
    report.latency["load_seconds"] = time.perf_counter() - started
    report.check("load", True, "")
    for name, expected in SIGNATURES.items():
        signature = model.signatures.get(name)
        interface = "there is no such signature" if signature is None else _interface(signature)
        wanted = "{} ({}) -> {} (float32)".format(*expected)
        report.check(f"signature {name}", interface == wanted, f"{interface}; expected {wanted}")
    return model


def _interface(signature):
    inputs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    named = ", ".join(f"{name} ({spec.dtype.name})" for name, spec in sorted(inputs.items()))
    given = ", ".join(f"{name} ({spec.dtype.name})" for name, spec in sorted(outputs.items()))
    return f"{named} -> {given}"


def read_identity(model_path, report):
    """Reads `assets.extra/descriptor.json`."""
    import tensorflow as tf

    path = f"{model_path.rstrip('/')}/assets.extra/descriptor.json"
    with tf.io.gfile.GFile(path, "r") as file:
        identity = json.loads(file.read())
    is_object = isinstance(identity, dict) and bool(identity)
    report.check("identity", is_object, f"{path}: expected a JSON object")
    report.identity = identity
    return identity if is_object else None


def run_checks(model, identity, request, report):
    """Tries the signatures on patches of several sizes, in several batches."""
    import tensorflow as tf

    sequences = np.load(request["patches"])
    patches = sequences.reshape(-1, *sequences.shape[2:])
    serve = model.signatures.get("serving_default")
    if serve is None:
        return

    def describe(batch):
        return serve(patches=tf.constant(batch))["descriptors"].numpy()

    tolerance = request["tolerance"]
    for height, width in SIZES:
        batch = np.ascontiguousarray(patches[: max(BATCHES), :height, :width])
        name = f"patches {height}x{width}"
        report.attempt(name, check_size, name, describe, batch, identity, tolerance, report)
    report.attempt("flat patches", check_flat, describe, report)
    report.attempt("empty batch", check_empty, describe, report)
    as_bytes = model.signatures.get("uint8_descriptors")
    if as_bytes is not None:
        name = "uint8_descriptors"
        report.attempt(name, check_bytes, as_bytes, describe, patches, identity, report)
    records = model.signatures.get("serialized_records")
    if records is not None:
        name = "serialized_records"
        report.attempt(name, check_records, records, describe, sequences, request, report)
    report.attempt("latency", measure, describe, patches, report)


def check_size(name, describe, batch, identity, tolerance, report):
    """Shape, dtype, finiteness, repeatability, independence of the batch, norm."""
    output = describe(batch)
    dimension = identity.get("dimension") or (output.shape[-1] if output.ndim else None)
    shape_is_right = output.dtype == np.float32 and output.shape == (len(batch), dimension)
    detail = f"{output.dtype} {list(output.shape)}, expected float32 [{len(batch)}, {dimension}]"
    if not report.check(f"{name}: shape", shape_is_right, detail):
        return
    wrong = int((~np.isfinite(output).all(axis=1)).sum())
    if not report.check(f"{name}: finite", not wrong, f"{wrong} descriptors hold NaN or inf"):
        return
    # Descriptors that are not normalised are compared relative to their length.
    norms = np.linalg.norm(output, axis=1)
    limit = tolerance * max(1.0, float(norms.max()))
    _compare(f"{name}: same twice", describe(batch), output, limit, report)
    single = np.concatenate([describe(batch[k : k + 1]) for k in range(len(batch))])
    _compare(f"{name}: same alone as in a batch", single, output, limit, report)
    if claims_unit_length(identity):
        error = float(np.abs(norms - 1).max())
        detail = f"the identity says L2, but a descriptor's length is off by {error:.2g}"
        report.check(f"{name}: unit length", error <= tolerance, detail)


def check_flat(describe, report):
    """Patches without any contrast must not end in NaN."""
    flat = np.stack([np.full((65, 65), value, np.uint8) for value in (0, 128, 255)])
    is_finite = np.isfinite(describe(flat)).all()
    report.check("flat patches", is_finite, "a patch of one grey value gives NaN or inf")


def check_empty(describe, report):
    """No patches, no descriptors: good to have, but no reason to refuse."""
    try:
        output = describe(np.zeros((0, 65, 65), np.uint8))
        if output.shape[0] != 0:
            raise ValueError(f"{output.shape[0]} descriptors for no patch")
    except Exception as error:
        warning = f"an empty batch is not served ({_first_line(error)})"
        report.warnings.append(warning)


def check_bytes(as_bytes, describe, patches, identity, report):
    """The signature for bytes, if there is one, must give the descriptors to half a step."""
    import tensorflow as tf

    batch = patches[: max(BATCHES)]
    codes, expected = as_bytes(patches=tf.constant(batch))["descriptors"].numpy(), describe(batch)
    detail = f"{codes.dtype} {list(codes.shape)}, expected uint8 {list(expected.shape)}"
    same_shape = codes.dtype == np.uint8 and codes.shape == expected.shape
    if report.check("uint8_descriptors: shape", same_shape, detail):
        code = identity["uint8"]
        decoded = (codes.astype(np.float32) - code["zero"]) * code["step"]
        reach = 127 * code["step"]
        limit = 0.51 * code["step"]
        expected = np.clip(expected, -reach, reach)
        _compare("uint8_descriptors: as serving_default", decoded, expected, limit, report)


def check_records(records, describe, sequences, request, report):
    """The signature for serialized records must say the same as the one for patches."""
    import tensorflow as tf

    serialized = list(tf.data.TFRecordDataset(request["records"]).as_numpy_iterator())
    descriptors = records(records=tf.constant(serialized))["descriptors"].numpy()
    count, variants = sequences.shape[:2]
    expected = describe(sequences.reshape(-1, *sequences.shape[2:]))
    expected = expected.reshape(count, variants, -1)
    detail = (
        f"{descriptors.dtype} {list(descriptors.shape)}, expected float32 {list(expected.shape)}"
    )
    shape_is_right = descriptors.dtype == np.float32 and descriptors.shape == expected.shape
    if report.check("serialized_records: shape", shape_is_right, detail):
        limit = request["tolerance"] * max(1.0, float(np.linalg.norm(expected, axis=-1).max()))
        _compare("serialized_records: as serving_default", descriptors, expected, limit, report)


def measure(describe, patches, report):
    """Times the served signature, per patch, after a warm-up; median of a few calls."""
    many = np.resize(patches, (LATENCY_BATCH, *patches.shape[1:]))
    for key, batch in (("batch", many), ("single", patches[:1])):
        describe(batch)
        seconds = []
        for _ in range(LATENCY_REPEATS):
            started = time.perf_counter()
            describe(batch)
            seconds.append(time.perf_counter() - started)
        per_patch = 1e3 * statistics.median(seconds) / len(batch)
        report.latency[f"{key}_size"] = len(batch)
        report.latency[f"{key}_milliseconds_per_patch"] = per_patch


def claims_unit_length(identity):
    """True when the identity names an L2 normalisation of the output.

    Example:
        >>> claims_unit_length({"architecture": {"final_normalisation": "batch_norm_l2"}})
        True
        >>> claims_unit_length({"architecture": {"final_normalisation": "batch_norm"}})
        False
    """
    if not isinstance(identity, dict):
        return False
    named = str(identity.get("final_normalisation", ""))
    return named.endswith("l2") or any(claims_unit_length(v) for v in identity.values())


def _compare(name, actual, expected, limit, report):
    if actual.shape != expected.shape:
        report.check(name, False, f"shape {list(actual.shape)}, expected {list(expected.shape)}")
        return
    # `not <=` rather than `>`: a NaN must fail.
    difference = float(np.abs(actual - expected).max()) if actual.size else 0.0
    report.check(name, difference <= limit, f"differs by {difference:.2g} (at most {limit:.2g})")


def _first_line(error):
    """The first line of a message that says something; TensorFlow begins with where it was."""
    places = ("Graph execution error", "Detected at node", "<stack traces")
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(places)]
    return telling[0] if telling else "no message"


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    main(sys.argv[1], sys.argv[2])
