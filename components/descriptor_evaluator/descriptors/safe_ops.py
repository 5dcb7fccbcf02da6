"""Looks into a SavedModel before it is loaded: loading one runs what its author put into it.

TensorFlow's operations read and write files, start Python functions and open connections. Only
those below are let through; they compute numbers from numbers. What is not listed is refused,
so an operation that a later TensorFlow brings is, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from trainer.core.errors import UserError

# Also in models that only describe: what training called for (random numbers, moving averages).
_LISTED = """
Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Assert AssignAddVariableOp
AssignSubVariableOp AssignVariableOp Atan Atan2 Atanh AvgPool AvgPool3D BatchMatMul BatchMatMulV2
BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND BiasAdd BiasAddV1
BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo Bucketize Case Cast Ceil CheckNumerics
ClipByValue Complex ComplexAbs Concat ConcatOffset ConcatV2 Conj ConjugateTranspose Const Conv2D
Conv2DBackpropInput Conv3D Cos Cosh Cross Cumprod Cumsum DecodeRaw DepthToSpace
DepthwiseConv2dNative Dequantize DestroyResourceOp Diag DiagPart Dilation2D DisableCopyOnRead Div
DivNoNan DynamicPartition DynamicStitch Einsum Elu EnsureShape Equal Erf Erfc EuclideanNorm Exp
ExpandDims Expm1 ExtractImagePatches FFT FFT2D FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm FusedBatchNormV2
FusedBatchNormV3 Gather GatherNd GatherV2 Greater GreaterEqual IFFT IFFT2D IRFFT IRFFT2D Identity
IdentityN If Imag InTopK InTopKV2 Inv Invert InvertPermutation IsFinite IsInf IsNan L2Loss LRN
LeakyRelu LeftShift Less LessEqual LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
LowerBound MatMul MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart MatrixDiagPartV2
MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2
MatrixSetDiagV3 MatrixSolve Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Min
Minimum MirrorPad Mod Mul MulNoNan Neg NoOp NotEqual OneHot OnesLike Pack Pad PadV2 ParallelConcat
ParseExample ParseExampleV2 PartitionedCall Placeholder PlaceholderV2 PlaceholderWithDefault Pow
PreventGradient Prod Qr QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeV2 RFFT RFFT2D
RandomStandardNormal RandomUniform RandomUniformInt Range Rank ReadVariableOp Real RealDiv
Reciprocal Relu Relu6 Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
ResourceGather ResourceGatherNd Reverse ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt
ScatterNd SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Select SelectV2 Selu Shape ShapeN
Sigmoid Sign Sin Sinh Size Slice Snapshot Softmax Softplus Softsign SpaceToBatch SpaceToBatchND
SpaceToDepth Split SplitV Sqrt Square SquaredDifference Squeeze StatefulPartitionedCall
StatelessCase StatelessIf StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomNormalV2
StatelessRandomUniformV2 StatelessWhile StopGradient StridedSlice Sub Sum Svd Tan Tanh
TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopK
TopKV2 Transpose TruncateDiv TruncateMod TruncatedNormal Unique UniqueV2 Unpack UnravelIndex
UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum UpperBound VarHandleOp
VarIsInitializedOp VariableShape Where While Xdivy Xlog1py Xlogy ZerosLike
"""
_ALLOWED = frozenset(_LISTED.split())
_SHOWN = 5


def check(path: str) -> None:
    """Refuses a SavedModel with operations that could do more than compute.

    Args:
        path: Folder of the SavedModel, local or `gs://`.

    Raises:
        UserError: When there are such operations; names them.
        Exception: What TensorFlow raises for a SavedModel that it cannot read.
    """
    # What `tf.saved_model.load` itself reads, whichever of its forms the file has.
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    found = unknown_operations(parse_saved_model(path))
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise UserError(
            f"{path}: holds the operations {', '.join(found[:_SHOWN])}{more}, which could do more "
            "than compute (a SavedModel is a program); when you trust its origin, say so with "
            "--trust-model (in a configuration: evaluation.trust_models)"
        )


def unknown_operations(model: Any) -> list[str]:
    """Returns the sorted operations of a `SavedModel` message that are not let through.

    The functions that save and restore variables hold some in every SavedModel. They are passed
    over where nothing else calls them: TensorFlow restores variables without them.
    """
    operations: set[str] = set()
    for graph in model.meta_graphs:
        functions = {
            function.signature.name: function for function in graph.graph_def.library.function
        }
        saver = {
            graph.saver_def.save_tensor_name.partition(":")[0],
            graph.saver_def.restore_op_name.partition(":")[0],
        }
        # A model of TensorFlow 1 is loaded another way, and its saver is run.
        if len(model.meta_graphs) > 1 or not graph.HasField("object_graph_def"):
            saver = set()
        others = [node for node in graph.graph_def.node if node.name not in saver]
        used = set(graph.object_graph_def.concrete_functions) & functions.keys()
        used = _called(others, used, functions)
        of_saver = _called(
            [node for node in graph.graph_def.node if node.name in saver], set(), functions
        )
        bodies = [functions[name].node_def for name in functions.keys() - (of_saver - used)]
        for nodes in (graph.graph_def.node, *bodies):
            operations.update(node.op for node in nodes if node.op not in functions)
    return sorted(operations - _ALLOWED)


def _called(nodes: Iterable[Any], names: set[str], functions: dict[str, Any]) -> set[str]:
    """Returns the functions that nodes, and functions of given names, call in any depth."""
    called: set[str] = set()
    waiting = [*names, *_mentioned(nodes)]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in called:
            called.add(name)
            waiting += _mentioned(functions[name].node_def)
    return called


def _mentioned(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        yield node.op
        for value in node.attr.values():
            yield value.func.name
            yield from (function.name for function in value.list.func)
