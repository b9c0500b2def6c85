"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.ops.avg_pool2d import avg_pool2d as avg_pool2d
from lamina.ops.batch_norm import batch_norm as batch_norm
from lamina.ops.dense import dense as dense
from lamina.ops.max_pool2d import max_pool2d as max_pool2d
from lamina.ops.relu import relu as relu
