import numpy as np
import pytest

from shared.errors import ModelError
from shared.image.architecture import Architecture
from shared.image.geometry import layers, signals, tensors

BASE = {"z_dim": 512, "c_dim": 0, "w_dim": 512, "img_channels": 3}
T64 = BASE | {"img_resolution": 64, "channel_base": 512, "channel_max": 32}
R = {"conv_kernel": 1, "use_radial_filters": True}
R64 = BASE | R | {"img_resolution": 64, "channel_base": 1024, "channel_max": 48}
T128 = BASE | {"img_resolution": 128, "channel_base": 1024, "channel_max": 32}
R1024 = BASE | R | {"img_resolution": 1024, "channel_base": 65536, "channel_max": 1024}
T256, T512, T1024 = (BASE | {"img_resolution": size} for size in (256, 512, 1024))

SIZES_AND_CHANNELS = (
    (T64, "36_32 36_32 36_32 36_32 52_32 52_32 52_32 52_25 84_20 84_16 84_13 84_10 84_8 64_8 64_3"),
    (R64, "36_48 36_48 36_48 36_48 52_48 52_48 52_48 52_48 84_40 84_32 84_25 84_20 84_16 64_16 64_3"),
    (T128, "36_32 36_32 36_32 52_32 52_32 52_32 84_32 84_32 84_25 148_19 148_14 148_11 148_8 128_8 128_3"),
    (T256, "36_512 36_512 36_512 52_512 52_512 84_512 84_512 148_512 148_512 148_362 276_256 276_181 276_128 256_128 256_3"),
    (T512, "36_512 36_512 52_512 52_512 84_512 84_512 148_512 148_483 276_323 276_215 532_144 532_96 532_64 512_64 512_3"),
    (T1024, "36_512 36_512 52_512 52_512 84_512 148_512 148_512 276_323 276_203 532_128 1044_81 1044_51 1044_32 1024_32 1024_3"),
    (R1024, "36_1024 36_1024 52_1024 52_1024 84_1024 148_1024 148_1024 276_645 276_406 532_256 1044_161 1044_102 1044_64 1024_64 1024_3"),
)  # fmt: skip

# up, down, taps up, taps down, padding of T, padding of R
SAME, DOUBLED = (2, 2, 12, 12, (9, 8), (11, 10)), (4, 2, 24, 12, (-6, -9), (-2, -5))
CROPPED, TORGB = (2, 2, 12, 12, (-11, -12), (-9, -10)), (1, 1, 1, 1, (0, 0), (0, 0))


@pytest.mark.parametrize(("arguments", "wanted"), SIZES_AND_CHANNELS)
def test_sizes_and_channels(arguments, wanted):
    given = layers(Architecture.from_arguments(arguments))
    assert [layer.name for layer in given] == [f"L{i}_{each}" for i, each in enumerate(wanted.split())]


@pytest.mark.parametrize(("arguments", "wanted"), SIZES_AND_CHANNELS)
def test_factors_taps_and_padding(arguments, wanted):
    given = layers(Architecture.from_arguments(arguments))
    for layer in given:
        if layer.is_torgb:
            kind = TORGB
        elif layer is given[-2]:
            kind = CROPPED
        else:
            kind = DOUBLED if layer.target.size > layer.source.size else SAME
        padding = kind[5] if "conv_kernel" in arguments else kind[4]
        assert (layer.up, layer.down, layer.up_taps, layer.down_taps, layer.padding) == (*kind[:4], padding), layer.name


def test_bands_of_t1024():
    given = signals(Architecture.from_arguments(T1024))
    cutoffs = [2, 3.1748, 5.0397, 8, 12.6992, 20.1587, 32, 50.7968, 80.6349, 128, 203.1873, 322.5398, 512, 512, 512]
    half_widths = [6, 4.8252, 10.9603, 8, 19.3008, 43.8413, 32, 77.2032, 47.3651, 128, 308.8127, 189.4602] + [
        118.3459
    ] * 3
    rates = [16, 16, 32, 32, 64, 128, 128, 256, 256, 512, 1024, 1024, 1024, 1024, 1024]
    np.testing.assert_allclose([s.cutoff for s in given], cutoffs, atol=6e-5)
    np.testing.assert_allclose([s.half_width for s in given], half_widths, atol=6e-5)
    assert [s.sampling_rate for s in given] == rates


@pytest.mark.parametrize(("resolution", "lowest"), [(1024, 128), (256, 32), (128, 16)])
def test_half_precision_is_for_the_four_highest_rates(resolution, lowest):
    given = layers(Architecture.from_arguments(BASE | {"img_resolution": resolution}))
    assert [layer.allows_half for layer in given] == [layer.target.sampling_rate >= lowest for layer in given]
    none = layers(Architecture.from_arguments(BASE | {"img_resolution": resolution, "num_fp16_res": 0}))
    assert not any(layer.allows_half for layer in none)


def test_radial_filters_are_not_for_the_critically_sampled_layers():
    given = layers(Architecture.from_arguments(R1024))
    assert [layer.radial for layer in given] == [True] * 12 + [False] * 3


def test_names_and_shapes_of_the_state_dict(cases):
    for name, case in cases.items():
        table = tensors(case.architecture)
        assert {key: tensor.shape for key, tensor in table.items()} == {k: v.shape for k, v in case.weights.items()}, (
            name
        )


def test_number_of_tensors():
    assert len(tensors(Architecture.from_arguments(T1024))) == 114
    assert len(tensors(Architecture.from_arguments(T1024 | {"c_dim": 3}))) == 116


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"z_dim": 0}, "z_dim"),
        ({"z_dim": "512"}, "z_dim"),
        ({"w_dim": 2.5}, "w_dim"),
        ({"c_dim": -1}, "c_dim"),
        ({"img_resolution": 96}, "img_resolution"),
        ({"img_resolution": 1 << 40}, "img_resolution"),
        ({"img_channels": 4}, "img_channels"),
        ({"channel_base": float("nan")}, "channel_base"),
        ({"channel_base": 10}, "channel_base"),
        ({"num_layers": 2}, "num_critical"),
        ({"num_layers": 10**9}, "num_layers"),
        ({"first_cutoff": 32}, "first_cutoff"),
        ({"first_cutoff": 0.1}, "first_cutoff"),
        ({"first_stopband": 2}, "first_stopband"),
        ({"last_stopband_rel": 1}, "last_stopband_rel"),
        ({"conv_kernel": 2}, "conv_kernel"),
        ({"filter_size": 5}, "filter_size"),
        ({"conv_clamp": -1}, "conv_clamp"),
        ({"output_scale": float("inf")}, "output_scale"),
        ({"use_radial_filters": "yes"}, "use_radial_filters"),
        ({"mapping_kwargs": {"num_layers": 0}}, "mapping_kwargs.num_layers"),
        ({"mapping_kwargs": {"layers": 2}}, "mapping_kwargs"),
        ({"mapping_kwargs": None}, "mapping_kwargs"),
        ({"synthesis_kwargs": {}}, "synthesis_kwargs"),
        ({"z_dim": 1 << 70}, "z_dim"),
    ],
)
def test_a_wrong_argument_is_named(changed, word):
    with pytest.raises(ModelError, match=word.replace(".", r"\.")) as caught:
        signals(Architecture.from_arguments(T64 | changed))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"])
def test_a_missing_argument_is_named(name):
    with pytest.raises(ModelError, match=name):
        Architecture.from_arguments({key: value for key, value in T64.items() if key != name})


def test_arguments_survive(cases):
    for case in cases.values():
        assert Architecture.from_arguments(case.architecture.arguments()) == case.architecture
