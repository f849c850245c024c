"""The version of Ponticello: the one place that names it. The package's metadata are built from here."""

VERSION = "0.1.0"
