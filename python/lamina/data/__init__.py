"""Data sets and how to split them. NumPy alone."""

from lamina.data.digits import digits as digits
from lamina.data.split import split as split
