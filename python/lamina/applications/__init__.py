"""Classic architectures, one paper a file."""

from lamina.applications.resnet import ResNet18 as ResNet18
from lamina.applications.resnet import ResNet34 as ResNet34
from lamina.applications.resnet import ResNet50 as ResNet50
from lamina.applications.resnet import ResNet101 as ResNet101
from lamina.applications.resnet import ResNet152 as ResNet152
from lamina.applications.unet import UNet as UNet
from lamina.applications.vgg import VGG16 as VGG16
from lamina.applications.vgg import VGG19 as VGG19
