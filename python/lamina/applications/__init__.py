"""Classic architectures, one paper a file."""

from lamina.applications.transformer import Transformer as Transformer
from lamina.applications.transformer import TransformerBody as TransformerBody
from lamina.applications.transformer import TransformerDecoderOnly as TransformerDecoderOnly
from lamina.applications.transformer import TransformerEncoderOnly as TransformerEncoderOnly
from lamina.applications.transformer_weights import load_torch_transformer as load_torch_transformer
from lamina.applications.transformer_weights import torch_transformer_state as torch_transformer_state
from lamina.applications.unet import UNet as UNet
