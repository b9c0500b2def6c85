"""Classic architectures, one paper a file."""

from lamina.applications.fcn import FCN8s as FCN8s
from lamina.applications.fcn import FCN16s as FCN16s
from lamina.applications.fcn import FCN32s as FCN32s
from lamina.applications.fcn import FCNResNet50 as FCNResNet50
from lamina.applications.inception import InceptionV1 as InceptionV1
from lamina.applications.inception_v3 import InceptionV3 as InceptionV3
from lamina.applications.resnet import ResNet18 as ResNet18
from lamina.applications.resnet import ResNet34 as ResNet34
from lamina.applications.resnet import ResNet50 as ResNet50
from lamina.applications.resnet import ResNet101 as ResNet101
from lamina.applications.resnet import ResNet152 as ResNet152
from lamina.applications.unet import UNet as UNet
from lamina.applications.vgg import VGG16 as VGG16
from lamina.applications.vgg import VGG19 as VGG19
