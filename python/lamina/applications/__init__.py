"""Classic architectures, one paper a file."""

from lamina.applications.pilotnet import PilotNet as PilotNet
from lamina.applications.unet import UNet as UNet
