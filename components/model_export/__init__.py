"""A model for programs without TensorFlow: ONNX, TFLite and PyTorch, each checked first."""
