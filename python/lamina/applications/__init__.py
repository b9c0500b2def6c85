"""Classic architectures, one paper a file."""

from lamina.applications.unet import UNet as UNet
