"""Classic architectures, one paper a file."""

from lamina.applications.detection_images import DetectionBatches as DetectionBatches
from lamina.applications.feature_pyramid import ResNetFPN as ResNetFPN
from lamina.applications.feature_pyramid import feature_pyramid as feature_pyramid
from lamina.applications.mask_rcnn import MaskRCNN as MaskRCNN
from lamina.applications.mask_rcnn import MaskRCNNResNet50FPN as MaskRCNNResNet50FPN
from lamina.applications.mask_rcnn_settings import MaskRCNNSettings as MaskRCNNSettings
from lamina.applications.resnet import ResNet18 as ResNet18
from lamina.applications.resnet import ResNet34 as ResNet34
from lamina.applications.resnet import ResNet50 as ResNet50
from lamina.applications.resnet import ResNet101 as ResNet101
from lamina.applications.resnet import ResNet152 as ResNet152
from lamina.applications.unet import UNet as UNet
from lamina.applications.vgg import VGG16 as VGG16
from lamina.applications.vgg import VGG19 as VGG19
