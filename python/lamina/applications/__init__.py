"""Classic architectures, one paper a file."""

from lamina.applications.autoencoder import SharedAutoencoder as SharedAutoencoder
from lamina.applications.autoencoder import convolutional_autoencoder as convolutional_autoencoder
from lamina.applications.autoencoder import deep_autoencoder as deep_autoencoder
from lamina.applications.autoencoder import denoising_autoencoder as denoising_autoencoder
from lamina.applications.autoencoder import sparse_autoencoder as sparse_autoencoder
from lamina.applications.variational_autoencoder import VariationalAutoencoder as VariationalAutoencoder
