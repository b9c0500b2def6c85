"""Data: bundled sets, readers of files, splits, and Dataset, the way from samples to batches."""

from lamina.data.bundled import load_breast_cancer as load_breast_cancer
from lamina.data.bundled import load_diabetes as load_diabetes
from lamina.data.bundled import load_digits as load_digits
from lamina.data.bundled import load_iris as load_iris
from lamina.data.bundled import load_sample_images as load_sample_images
from lamina.data.bundled import load_wine as load_wine
from lamina.data.cifar import read_cifar10 as read_cifar10
from lamina.data.cifar import read_cifar100 as read_cifar100
from lamina.data.csv_files import read_csv as read_csv
from lamina.data.dataset import Dataset as Dataset
from lamina.data.digits import digits as digits
from lamina.data.element import random_generator as random_generator
from lamina.data.garments import Garments as Garments
from lamina.data.garments import load_garments as load_garments
from lamina.data.idx import read_idx as read_idx
from lamina.data.idx import read_mnist as read_mnist
from lamina.data.images import list_image_folder as list_image_folder
from lamina.data.images import read_image as read_image
from lamina.data.images import read_image_folder as read_image_folder
from lamina.data.npz import read_npz as read_npz
from lamina.data.patches import load_patches as load_patches
from lamina.data.split import split as split
