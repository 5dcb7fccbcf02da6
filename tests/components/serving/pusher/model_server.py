"""What TensorFlow Serving does with a folder of versions, without its program.

The newest version is loaded as its C++ code loads it (the graph tagged `serve`, run by feeding
and fetching the tensors that a signature names), and its published messages are spoken over
gRPC and its published JSON over HTTP, both on loopback.
"""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class _Refused(Exception):  # noqa: N818
    """The request does not fit the model; the server answers INVALID_ARGUMENT."""


class _Model:
    def __init__(self, folder: Path) -> None:
        versions = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
        self.version = max(versions)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(
                self._session, ["serve"], str(folder / str(self.version))
            )
        self.signatures = loaded.signature_def

    def predict(self, signature_name: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        name = signature_name or "serving_default"
        if name not in self.signatures:
            raise _Refused(f'Serving signature name: "{name}" not found in signature def')
        signature = self.signatures[name]
        if set(inputs) != set(signature.inputs):
            raise _Refused(f"input keys {sorted(inputs)}, expected {sorted(signature.inputs)}")
        feeds = {}
        for key, value in inputs.items():
            tensor = signature.inputs[key]
            wanted = tf.dtypes.as_dtype(tensor.dtype)
            given = tf.dtypes.as_dtype(value.dtype) if value.dtype != object else tf.string
            if given != wanted:
                raise _Refused(f"{key} is {given.name}, expected {wanted.name}")
            feeds[tensor.name] = value
        fetches = {key: tensor.name for key, tensor in signature.outputs.items()}
        return self._session.run(fetches, feeds)


class _Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model: _Model, name: str) -> None:
        self._model, self._name = model, name

    def Predict(self, request, context):  # noqa: N802
        if request.model_spec.name != self._name:
            context.abort(grpc.StatusCode.NOT_FOUND, "Servable not found for request")
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = self._model.predict(request.model_spec.signature_name, inputs)
        except _Refused as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = predict_pb2.PredictResponse()
        answer.model_spec.name = self._name
        answer.model_spec.version.value = self._model.version
        for key, value in outputs.items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return answer


def _from_json(model: _Model, body: bytes) -> dict:
    """Answers a request in the row format: one tensor in, one out, its rows in a list."""
    asked = json.loads(body)
    name = asked.get("signature_name", "serving_default")
    (key, tensor), *others = model.signatures[name].inputs.items()
    assert not others, "instances without names go with a single input"
    rows = asked["instances"]
    if tf.dtypes.as_dtype(tensor.dtype) == tf.string:
        values = np.array([base64.b64decode(row["b64"]) for row in rows], object)
    else:
        values = np.array(rows, tf.dtypes.as_dtype(tensor.dtype).as_numpy_dtype)
    (output,) = model.predict(name, {key: values}).values()
    return {"predictions": output.tolist()}


@dataclass(frozen=True)
class ModelServer:
    """Where it listens, `host:port`, and which version it serves."""

    grpc: str
    rest: str
    version: int


@contextmanager
def serving(folder: Path, name: str) -> Iterator[ModelServer]:
    """Serves the newest version of a model while the context is open."""
    model = _Model(folder)

    class Rest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known = self.path == f"/v1/models/{name}:predict"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(_from_json(model, body) if known else {"error": "Not found"})
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = grpc.server(ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Grpc(model, name), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with ThreadingHTTPServer(("127.0.0.1", 0), Rest) as rest:
        threading.Thread(target=rest.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield ModelServer(f"127.0.0.1:{port}", f"127.0.0.1:{rest.server_port}", model.version)
        finally:
            rest.shutdown()
            server.stop(None)
