"""Data: bundled sets, readers of files, splits, and Dataset, the way from samples to batches."""

from typing import TYPE_CHECKING

from lamina import later

# The names that are their modules' too stand here at once: importing the module would hide them.
from lamina.data.digits import digits as digits
from lamina.data.palette import palette as palette
from lamina.data.split import split as split

if TYPE_CHECKING:
    from lamina.data.augmentation import Augment as Augment
    from lamina.data.augmentation import LabelledImage as LabelledImage
    from lamina.data.bert_pretraining import mask_tokens as mask_tokens
    from lamina.data.bert_pretraining import sentence_pairs as sentence_pairs
    from lamina.data.bundled import load_breast_cancer as load_breast_cancer
    from lamina.data.bundled import load_diabetes as load_diabetes
    from lamina.data.bundled import load_digits as load_digits
    from lamina.data.bundled import load_iris as load_iris
    from lamina.data.bundled import load_sample_images as load_sample_images
    from lamina.data.bundled import load_wine as load_wine
    from lamina.data.cifar import read_cifar10 as read_cifar10
    from lamina.data.cifar import read_cifar100 as read_cifar100
    from lamina.data.coco import read_coco as read_coco
    from lamina.data.csv_files import read_csv as read_csv
    from lamina.data.dataset import Dataset as Dataset
    from lamina.data.driving import Car as Car
    from lamina.data.driving import Drive as Drive
    from lamina.data.driving import DrivingFrames as DrivingFrames
    from lamina.data.driving import drive as drive
    from lamina.data.driving import expert as expert
    from lamina.data.driving import load_driving as load_driving
    from lamina.data.element import random_generator as random_generator
    from lamina.data.garments import Garments as Garments
    from lamina.data.garments import load_garments as load_garments
    from lamina.data.idx import read_idx as read_idx
    from lamina.data.idx import read_mnist as read_mnist
    from lamina.data.images import list_image_folder as list_image_folder
    from lamina.data.images import read_image as read_image
    from lamina.data.images import read_image_folder as read_image_folder
    from lamina.data.labelled import LabelledImages as LabelledImages
    from lamina.data.masks import decode_rle as decode_rle
    from lamina.data.masks import encode_rle as encode_rle
    from lamina.data.masks import polygon_mask as polygon_mask
    from lamina.data.npz import read_npz as read_npz
    from lamina.data.palette import overlay as overlay
    from lamina.data.patches import load_patches as load_patches
    from lamina.data.planted import planted_analogies as planted_analogies
    from lamina.data.road import Road as Road
    from lamina.data.scenes import Scenes as Scenes
    from lamina.data.scenes import load_scenes as load_scenes
    from lamina.data.text_files import read_text as read_text
    from lamina.data.tokenizers.byte_pair import BytePairTokenizer as BytePairTokenizer
    from lamina.data.tokenizers.characters import CharacterTokenizer as CharacterTokenizer
    from lamina.data.tokenizers.encoding import EncodedBatch as EncodedBatch
    from lamina.data.tokenizers.encoding import Encoding as Encoding
    from lamina.data.tokenizers.tokenizer import Tokenizer as Tokenizer
    from lamina.data.tokenizers.word_piece import WordPieceTokenizer as WordPieceTokenizer
    from lamina.data.tokenizers.words import WordTokenizer as WordTokenizer
    from lamina.data.voc import read_voc as read_voc

__getattr__, __dir__ = later.names(__name__)
