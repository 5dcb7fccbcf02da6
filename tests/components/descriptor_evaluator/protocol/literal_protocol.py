"""A slow, literal re-statement of HPatches' scoring, one pair and one query at a time.

Plain Python on purpose: nothing here is shared with the code under test, except SciPy's
distance functions, which the reference evaluator uses as well.
"""

import math

import numpy as np
from scipy import linalg
from scipy.spatial import distance

NOISES = "eht"


def variant(noise, image):
    """Place of a patch among the 16: reference, then five easy, hard and tough ones."""
    return 0 if image == 0 else 5 * NOISES.index(noise) + image


def ranking(scores, labels, pessimistic=False):
    """Labels of the retrieved rows, best score first; equal scores keep their order."""
    rows = [
        (-score, label if pessimistic else place, label)
        for place, (score, label) in enumerate(zip(scores, labels, strict=True))
        if not math.isnan(score) and score != -math.inf
    ]
    if not rows:
        raise ValueError("nothing is retrieved")
    return [label for _, _, label in sorted(rows, key=lambda row: row[:2])]


def average_precision(scores, labels, numpos=None, pessimistic=False):
    """Trapezoid area under precision over recall, from recall 0 and precision 1."""
    positives = numpos if numpos is not None else sum(labels)
    area, hits, recall, precision = 0.0, 0, 0.0, 1.0
    for place, label in enumerate(ranking(scores, labels, pessimistic), start=1):
        hits += label
        next_recall = hits / max(positives, 1e-10)
        next_precision = hits / place
        area += (next_recall - recall) * (precision + next_precision) / 2
        recall, precision = next_recall, next_precision
    return area


def roc_area(scores, labels):
    """Trapezoid area under the true positive rate over the false positive rate."""
    positives = sum(labels)
    negatives = len(labels) - positives
    area = hits = 0
    for label in ranking(scores, labels):
        if label:
            hits += 1
        else:
            area += hits / max(positives, 1e-10) / max(negatives, 1e-10)
    return area


SCIPY = {"l2": "euclidean", "l1": "cityblock", "hamming": "cityblock"}


def matching(descriptors, metric="l2"):
    """{(noise, target): (ap, success rate, both tie-safe)} of descriptors [16, N, D]."""
    result = {}
    count = descriptors.shape[1]
    for noise in NOISES:
        for target in range(1, 6):
            views = descriptors[variant(noise, target)]
            matrix = distance.cdist(descriptors[0], views, SCIPY[metric])
            scores, labels, sure = [], [], []
            for row in range(count):
                nearest = int(np.argmin(matrix[row]))
                scores.append(-matrix[row][nearest])
                labels.append(int(nearest == row))
                ties = sum(value == matrix[row][nearest] for value in matrix[row])
                retrieved = math.isfinite(matrix[row][nearest])
                sure.append(int(nearest == row and ties == 1 and retrieved))
            try:
                precision = average_precision(scores, labels, count)
                safe = average_precision(scores, sure, count, pessimistic=True)
            except ValueError:
                precision = safe = math.nan
            rates = sum(labels) / count, sum(sure) / count
            result[noise, target] = (precision, rates[0], safe, rates[1])
    return result


def retrieval(collection, queries, distractors, sizes, groups, metric="l2"):
    """{(query, noise, size): (ap, tie-safe ap)}; queries and distractors are (name, index)."""
    result = {}
    for number, (name, index) in enumerate(queries):
        query = collection[name][0][index]
        others = [
            collection[other][0][place]
            for other, place in distractors
            if groups[other] != groups[name]
        ]
        for noise in NOISES:
            views = [collection[name][variant(noise, target)][index] for target in range(1, 6)]
            pool = distance.cdist([query], [*views, *others], SCIPY[metric])[0]
            labels = [1] * 5 + [0] * len(others)
            for size in sizes:
                scores = [-value for value in pool[:size]]
                try:
                    result[number, noise, size] = (
                        average_precision(scores, labels[:size]),
                        average_precision(scores, labels[:size], pessimistic=True),
                    )
                except ValueError:
                    result[number, noise, size] = (math.nan, math.nan)
    return result


def verification(collection, positive, negative, metric="l2"):
    """{noise: (auc, ap)} of rows (s1, t1, idx1, s2, t2, idx2)."""

    def score(row, noise):
        first, image1, index1, second, image2, index2 = row
        one = collection[first][variant(noise, image1)][index1]
        two = collection[second][variant(noise, image2)][index2]
        if not (np.isfinite(one).all() and np.isfinite(two).all()):
            return math.nan  # SciPy's euclidean would stop here
        if metric == "l2":  # as SciPy's euclidean did before it came to sum in float32
            return -float(linalg.norm(one - two))
        return -float(distance.cityblock(one, two))

    result = {}
    for noise in NOISES:
        scores = [score(row, noise) for row in [*negative, *positive]]
        labels = [0] * len(negative) + [1] * len(positive)
        cut = len(positive) + int(len(positive) * 0.2)
        try:
            auc = roc_area(scores, labels)
        except ValueError:
            auc = math.nan
        try:
            precision = average_precision(scores[:cut], labels[:cut])
        except ValueError:
            precision = math.nan
        result[noise] = (auc, precision)
    return result


def mean(values):
    """The plain mean; None where there is nothing, or NaN within."""
    values = list(values)
    if not values or any(value is None or math.isnan(value) for value in values):
        return None
    return math.fsum(values) / len(values)


def by_noise(scores):
    """Means of (noise, score) per noise level, and their mean."""
    means = {noise: mean(score for level, score in scores if level == noise) for noise in NOISES}
    return means | {"mean": mean(means.values())}


def both_averages(scores):
    """Of (name, noise, score): the flat means, and those of i_ and v_ sequences apart."""
    flat = by_noise([(noise, score) for _, noise, score in scores])
    apart = {
        kind: by_noise([(noise, score) for name, noise, score in scores if name[0] == kind])
        for kind in sorted({name[0] for name, _, _ in scores})
    }
    return flat, apart
