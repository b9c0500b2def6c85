"""Tokenizers: text to numbers and back. Characters, words, byte-pair encoding and WordPiece."""

from lamina.data.tokenizers.byte_pair import BytePairTokenizer as BytePairTokenizer
from lamina.data.tokenizers.characters import CharacterTokenizer as CharacterTokenizer
from lamina.data.tokenizers.encoding import EncodedBatch as EncodedBatch
from lamina.data.tokenizers.encoding import Encoding as Encoding
from lamina.data.tokenizers.tokenizer import Tokenizer as Tokenizer
from lamina.data.tokenizers.word_piece import WordPieceTokenizer as WordPieceTokenizer
from lamina.data.tokenizers.words import WordTokenizer as WordTokenizer
