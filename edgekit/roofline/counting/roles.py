"""What kinds of operators do with memory, whatever a format calls them.

One table for all formats: names are compared in small letters without underscores.
"""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """How an operator counts."""

    COMPUTE = "multiplies and accumulates"
    ELEMENTWISE = "each value from those in its place: can be done along with the one before it"
    VIEW = "another look at the same values, or wider ones: moves nothing by itself"
    CARRIER = "hands values on in the form they come in"
    LOOKUP = "reads only as much as it gives"
    NESTED = "holds a graph of its own"
    OTHER = "reads its inputs, writes its outputs"


_ROLES = {
    Role.COMPUTE: """
        conv2d depthwiseconv2d conv3d transposeconv conv3dtranspose fullyconnected batchmatmul
        unidirectionalsequencelstm unidirectionalsequencernn
        conv convtranspose convinteger qlinearconv fusedconv gemm qgemm matmul matmulinteger
        qlinearmatmul fusedmatmul dynamicquantizematmul matmulintegertofloat matmulnbits
        lstm gru rnn einsum
        convolution groupconvolution convolutionbackpropdata groupconvolutionbackpropdata
        lstmsequence grusequence rnnsequence lstmcell grucell rnncell
        scaleddotproductattention""",
    Role.ELEMENTWISE: """
        add sub subtract mul multiply div divide mod floormod pow power squareddifference
        maximum minimum max min relu relu6 relun1to1 relu0to1 prelu leakyrelu elu selu celu gelu
        logistic sigmoid tanh hardswish hardsigmoid hswish hsigmoid swish silu mish softplus
        softsign clip clamp exp log sqrt rsqrt square abs neg negative floor ceil ceiling round sign
        sin cos erf reciprocal quantize quantizelinear dynamicquantizelinear fakequantize cast
        convert select selectv2 where equal notequal greater greaterequal less lessequal and or not
        xor logicaland logicalor logicalnot isnan isinf batchnormalization qlinearadd qlinearmul
        qlinearleakyrelu qlinearsigmoid""",
    Role.VIEW: """
        reshape squeeze unsqueeze expanddims flatten identity transpose pad padv2 dequantize
        dequantizelinear""",
    Role.CARRIER: "maxpool maxpool2d concatenation concat split splitv variadicsplit depthtospace "
    "spacetodepth resizenearestneighbor",
    Role.LOOKUP: "gather gathernd gatherelements embeddinglookup slice stridedslice shape shapeof",
    Role.NESTED: "if while loop scan tensoriterator call callonce",
}
_BY_NAME = {name: role for role, names in _ROLES.items() for name in names.split()}


def role_of(op: str) -> Role:
    """Of a kind of operator in a format's own words, "DEPTHWISE_CONV_2D"."""
    return _BY_NAME.get(op.lower().replace("_", ""), Role.OTHER)
