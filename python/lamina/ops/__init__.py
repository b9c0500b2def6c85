"""The ops: one file an op, forward and gradient rule side by side."""

from lamina.ops.conv2d import conv2d as conv2d
from lamina.ops.dense import dense as dense
from lamina.ops.relu import relu as relu
