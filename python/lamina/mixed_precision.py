"""Mixed precision under Keras's names: computing in 16 bits with weights of float32."""

from lamina.dtype_policies import DTypePolicy as DTypePolicy
from lamina.dtype_policies import dtype_policy as dtype_policy
from lamina.dtype_policies import set_dtype_policy as set_dtype_policy
from lamina.optimizers.loss_scale import LossScaleOptimizer as LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy
