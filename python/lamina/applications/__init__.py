"""Classic architectures, one paper a file."""

from lamina.applications.autoencoder import SharedAutoencoder as SharedAutoencoder
from lamina.applications.autoencoder import convolutional_autoencoder as convolutional_autoencoder
from lamina.applications.autoencoder import deep_autoencoder as deep_autoencoder
from lamina.applications.autoencoder import denoising_autoencoder as denoising_autoencoder
from lamina.applications.autoencoder import sparse_autoencoder as sparse_autoencoder
from lamina.applications.dcgan import dcgan_discriminator as dcgan_discriminator
from lamina.applications.dcgan import dcgan_generator as dcgan_generator
from lamina.applications.dcgan import dcgan_optimizer as dcgan_optimizer
from lamina.applications.gan import GAN as GAN
from lamina.applications.gan_callbacks import CollapseWarning as CollapseWarning
from lamina.applications.gan_callbacks import EqualJudges as EqualJudges
from lamina.applications.gan_callbacks import SampleGrid as SampleGrid
from lamina.applications.variational_autoencoder import VariationalAutoencoder as VariationalAutoencoder
