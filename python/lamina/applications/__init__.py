"""Classic architectures, one paper a file."""

from lamina.applications.glove import Glove as Glove
from lamina.applications.word2vec import Word2Vec as Word2Vec
from lamina.applications.word_vectors import WordVectors as WordVectors
