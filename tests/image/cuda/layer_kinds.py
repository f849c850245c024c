"""One layer of each kind in the T and R networks of 8, 10 and 14 layers: factors, padding, shift of the filters, radial or not."""

from shared.image import geometry
from shared.image.architecture import Architecture

ARGUMENTS = {"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_channels": 3}


def architectures():
    """(name, architecture) of published shape."""
    for resolution in (128, 256, 1024):
        for count in (8, 10, 14):
            for radial in (False, True):
                more = {"img_resolution": resolution, "num_layers": count, "use_radial_filters": radial}
                more["conv_kernel"] = 1 if radial else 3
                name = f"{'R' if radial else 'T'}-{resolution} {count} layers"
                yield name, Architecture.from_arguments(ARGUMENTS | more)


def layer_kinds():
    """The first layer of each kind, by network and name. Networks of 1024 pixels with few layers upsample by 8; none here does."""
    kinds = {}
    for name, architecture in architectures():
        for layer in geometry.layers(architecture)[:-1]:
            if layer.up == 8:
                continue
            kinds.setdefault((layer.up, layer.padding, layer.radial), (f"{name} {layer.name}", layer))
    return dict(kinds.values())


def radial_layers():
    """All radial layers of the published sizes, with the number of separable terms of their filters."""
    return {
        f"{name} {layer.name}": layer
        for name, architecture in architectures()
        for layer in geometry.layers(architecture)[:-1]
        if layer.radial
    }
