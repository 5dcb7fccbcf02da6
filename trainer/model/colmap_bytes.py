"""Placeholder until help-A's arrives."""

import numpy as np

DIMENSION = 128
_A = 0.24


def encode(d):
    n = d / np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-12)
    s = n.sum(1, keepdims=True)
    D = n.shape[1]
    c = (-_A * s + np.sqrt(_A**2 * s**2 + D * (1 - _A**2))) / D
    return np.clip(np.round(512 * (_A * n + c)), 0, 255).astype(np.uint8)


def decode(codes):
    return codes.astype(np.float32) / np.float32(512 * _A)
