"""Parameters and multiply-adds, exact, and the papers' tables where they are right."""

import json
from functools import partial
from inspect import signature

import pytest
import torch

from course_lib import cli, models
from course_lib.cost import count, count_parameters, layer_costs, stage_costs
from course_lib.models import alexnet, googlenet, inception_resnet_v1, inception_resnet_v2, inception_v3, mobilenet, se_resnet
from course_lib.models.inception import MODULES, NaiveInception

# Parameters without auxiliary classifiers, those of auxiliary classifiers, multiply-adds at the published size: of the donors, of
# the official Caffe file (SE-BN-Inception) and of He et al. 2016a, section 4.2, built from its text.
FIGURES = {
    "alexnet": (61_100_840, 0, 714_188_480),
    "vgg-16": (138_357_544, 0, 15_470_264_320),
    "vgg-16-bn": (138_365_992, 0, 15_470_264_320),
    "vgg-19": (143_667_240, 0, 19_632_062_464),
    "vgg-19-bn": (143_678_248, 0, 19_632_062_464),
    "resnet-18": (11_689_512, 0, 1_814_073_344),
    "resnet-34": (21_797_672, 0, 3_663_761_408),
    "resnet-50": (25_557_032, 0, 4_089_184_256),
    "resnet-101": (44_549_160, 0, 7_801_405_440),
    "resnet-152": (60_192_808, 0, 11_513_626_624),
    "preact-resnet-50": (25_549_352, 0, 4_089_184_256),
    "preact-resnet-101": (44_541_480, 0, 7_801_405_440),
    "preact-resnet-152": (60_185_128, 0, 11_513_626_624),
    "googlenet": (6_624_904, 6_379_984, 1_498_376_192),
    "bn-inception": (11_285_224, 0, 2_032_600_064),
    "inception-v3": (23_834_568, 3_326_696, 5_713_216_096),
    "inception-v4": (42_679_816, 0, 12_253_974_624),
    "inception-resnet-v2": (55_843_464, 0, 13_155_794_016),
    "xception": (22_855_952, 0, 8_357_403_496),
    "mobilenet": (4_231_976, 0, 568_740_352),
    "resnext-50-32x4d": (25_028_904, 0, 4_230_479_872),
    "resnext-101-32x4d": (44_177_704, 0, 7_969_996_800),
    "resnext-101-32x8d": (88_791_336, 0, 16_414_015_488),
    "resnext-101-64x4d": (83_455_272, 0, 15_460_270_080),
    "se-resnet-50": (28_088_024, 0, 3_860_488_192),
    "se-resnet-101": (49_326_872, 0, 7_574_937_600),
    "se-resnet-152": (66_821_848, 0, 11_288_993_792),
    "se-resnext-50-32x4d": (27_559_896, 0, 4_232_994_816),
    "se-resnext-101-32x4d": (48_955_416, 0, 7_974_739_968),
    "se-bn-inception": (11_931_622, 0, 2_033_239_424),
    "senet-154": (115_088_984, 0, 20_688_363_520),
    "cifar-plain-20": (269_722, 0, 40_551_040),
    "cifar-plain-32": (464_154, 0, 68_862_592),
    "cifar-plain-44": (658_586, 0, 97_174_144),
    "cifar-plain-56": (853_018, 0, 125_485_696),
    "cifar-plain-110": (1_727_962, 0, 252_887_680),
    "cifar-resnet-20": (269_722, 0, 40_551_040),
    "cifar-resnet-32": (464_154, 0, 68_862_592),
    "cifar-resnet-44": (658_586, 0, 97_174_144),
    "cifar-resnet-56": (853_018, 0, 125_485_696),
    "cifar-resnet-110": (1_727_962, 0, 252_887_680),
    "cifar-resnet-1202": (19_421_274, 0, 2_829_238_912),
}
GOOGLENET_TABLE_1 = {  # weights alone, multiply-adds; the printed parameters of 4a, 4c, 4d, 4e, 5a, 5b and of conv1 do not add up
    "3a": (163_328, 128_049_152),
    "3b": (388_096, 304_267_264),
    "4a": (375_552, 73_608_192),
    "4b": (448_512, 87_908_352),
    "4c": (509_440, 99_850_240),
    "4d": (604_672, 118_515_712),
    "4e": (867_328, 169_996_288),
    "5a": (1_042_432, 51_079_168),
    "5b": (1_442_816, 70_697_984),
}


@pytest.fixture(autouse=True)
def on_meta():
    """Networks built in these tests have shapes and no numbers: counting needs no more."""
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("name", FIGURES)
def test_counts_are_exact(name):
    parameters, auxiliary, macs = FIGURES[name]
    entry, net = models.entry(name), models.create(name)
    assert count_parameters(net) == parameters + auxiliary
    assert (count_parameters(net.auxiliary) if hasattr(net, "auxiliary") else 0) == auxiliary
    if "1202" not in name:
        assert count(net, (3, entry.size, entry.size)).macs == macs


def test_every_donor_and_every_published_count_is_in_the_table():
    with_donor = {name for name in models.names() if models.entry(name).donor}
    missing = with_donor - FIGURES.keys() - {"inception-resnet-v1"}  # whose donor has another head
    assert missing == {"preact-resnet-18", "preact-resnet-34"}


def test_googlenet_of_the_paper_module_by_module():
    net = googlenet(paper=True)
    auxiliary = count_parameters(net.auxiliary)
    assert (count_parameters(net) - auxiliary, auxiliary) == (6_998_552, 6_379_728)
    assert count(net, (3, 224, 224)).macs == 1_582_671_872
    modules = {row.name.split(".")[-1]: row for row in stage_costs(net, (3, 224, 224), depth=3) if row.kind == "Inception"}
    for name, (weights, macs) in GOOGLENET_TABLE_1.items():
        biases = sum(MODULES[name])
        assert (modules[name].parameters - biases, modules[name].macs) == (weights, macs)


def test_a_naive_module_3a_is_twice_as_dear():
    """387,072 weights and 303.5 M multiply-adds for 416 channels, 2.37 times the reduced module."""
    naive = NaiveInception(192, 64, 128, 32, norm=False)
    cost = count(naive, (192, 28, 28))
    assert naive.out_channels == 416 and cost.output_shape == (416, 28, 28)
    assert (cost.parameters - 224, cost.macs) == (387_072, 303_464_448)
    assert cost.macs / GOOGLENET_TABLE_1["3a"][1] == pytest.approx(2.37, abs=0.005)


def test_alexnet_of_2012():
    cost = count(alexnet(paper=True), (3, 227, 227))
    assert (cost.parameters, cost.macs) == (60_965_224, 724_406_816)
    shapes = [row.output_shape for row in layer_costs(alexnet(paper=True), (3, 227, 227)) if "Conv" in row.kind]
    assert shapes == [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13)]


def test_inception_v3_with_the_module_of_figure_5():
    assert count_parameters(inception_v3()) - count_parameters(inception_v3(paper=True)) == 3 * 48 * 64 * (25 - 9)


def test_inception_resnets_of_the_paper():
    v1, v2 = inception_resnet_v1(paper=True), inception_resnet_v2(paper=True)
    assert [len(stage) for stage in v1.stages] == [5, 1 + 10, 1 + 5] == [len(stage) for stage in v2.stages]
    assert [len(stage) for stage in inception_resnet_v2().stages] == [10, 1 + 20, 1 + 10]
    for net, widths in ((v1, (256, 896, 1792)), (v2, (384, 1152, 2144))):
        rows = {row.name: row.output_shape for row in stage_costs(net, (3, 299, 299), depth=2)}
        for i, (width, size) in enumerate(zip(widths, (35, 17, 8), strict=True)):
            assert rows[f"stages.{i}"] == (width, size, size)
    assert all(block.activate and block.scale < 1 for stage in v2.stages for block in stage if hasattr(block, "scale"))


def test_inception_resnet_v1_has_the_trunk_of_its_donor():
    net = inception_resnet_v1()
    assert count_parameters(net.stem) + count_parameters(net.stages) == 22_564_096


@pytest.mark.parametrize(
    ("alpha", "millions", "parameters"), [(1.0, 569, 4.2), (0.75, 325, 2.6), (0.5, 149, 1.3), (0.25, 41, 0.5)]
)
def test_mobilenets_width_multiplier(alpha, millions, parameters):
    """Howard et al. 2017, Table 6."""
    cost = count(mobilenet(width_mult=alpha), (3, 224, 224))
    assert (round(cost.macs / 1e6), round(cost.parameters / 1e6, 1)) == (millions, parameters)


@pytest.mark.parametrize(("size", "millions"), [(224, 569), (192, 418), (160, 290), (128, 186)])
def test_mobilenets_resolution(size, millions):
    """Howard et al. 2017, Table 7."""
    assert count(mobilenet(), (3, size, size)).macs / 1e6 == pytest.approx(millions, abs=1)


@pytest.mark.parametrize(("reduction", "millions"), [(2, 45.7), (4, 35.7), (8, 30.7), (16, 28.1), (32, 26.9)])
def test_reduction_ratios_of_se_resnet_50(reduction, millions):
    """Hu et al. 2018, Table 10."""
    assert count_parameters(se_resnet(50, reduction=reduction)) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(("name", "millions"), [("8x64d", 34.4), ("16x64d", 68.1)])
def test_cifar_resnext(name, millions):
    """Xie et al. 2017, Table 7."""
    assert count_parameters(models.create(f"cifar-resnext-29-{name}")) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize(("depth", "millions"), [(110, 1.7), (164, 1.7)])
def test_cifar_preactivation(depth, millions):
    """He et al. 2016b, Tables 2 and 4."""
    assert round(count_parameters(models.create(f"cifar-preact-resnet-{depth}")) / 1e6, 1) == millions


def test_squeeze_and_excitation_adds_the_same_gates_to_both_inception_networks():
    """2·C²/r weights and C/r + C biases for each module: 646,398 for BN-Inception."""
    for name in ("bn-inception", "googlenet"):
        plain, squeezed = models.create(name), models.create(f"se-{name}")
        widths = [block.out_channels for stage in plain.stages for block in stage if hasattr(block, "out_channels")]
        assert len(widths) == {"bn-inception": 10, "googlenet": 9}[name]
        gates = sum(2 * c * (c // 16) + c // 16 + c for c in widths)
        assert count_parameters(squeezed) - count_parameters(plain) == gates


LIMITED = [
    *("alexnet", "vgg-16", "resnet-50", "googlenet", "bn-inception", "inception-v3", "inception-v4", "inception-resnet-v1"),
    *("inception-resnet-v2", "xception", "mobilenet", "se-resnet-50", "se-resnext-50-32x4d", "senet-154", "small-inception"),
]
FORMS = [(name, paper) for name in LIMITED for paper in (False, True)
         if not paper or "paper" in signature(models.entry(name).build).parameters]  # fmt: skip


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (partial(models.resnext, 50), "resnext-50-32x4d"),
        (models.cifar_resnext, "cifar-resnext-29-8x64d"),
        (partial(models.vgg, 16), "vgg-16"),
        (partial(models.cifar_preact_resnet, 110), "cifar-preact-resnet-110"),
    ],
)
def test_a_function_builds_by_default_what_the_catalogue_names(build, name):
    assert [value.shape for value in build().parameters()] == [value.shape for value in models.create(name).parameters()]


@pytest.mark.parametrize(("name", "paper"), FORMS)
def test_the_smallest_image_runs_and_none_smaller(name, paper):
    net = models.create(name, 7, **({"paper": True} if paper else {}))
    for training, smallest in ((False, net.smallest), (True, getattr(net, "smallest_in_training", 0))):
        net.smallest = net.smallest_in_training = 1  # let smaller ones reach the layers
        if smallest:
            net.train(training)(torch.empty(2, 3, smallest, smallest))
        if smallest > 1:
            with pytest.raises(RuntimeError):
                net(torch.empty(2, 3, smallest - 1, smallest))


@pytest.mark.parametrize("name", [name for name in models.names() if name != "small-mobilenet"])  # an option of mobilenet
def test_defaults_of_a_function_are_those_of_the_catalogue(name):
    entry = models.entry(name)
    parameters = signature(entry.build).parameters
    assert parameters["in_channels"].default == 3
    assert parameters["num_classes"].default == entry.num_classes


def test_the_command_prints_the_same_figures(capsys):
    assert cli.main(["models", "resnet-50", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["parameters"], told["macs"], told["top1"]) == (25_557_032, 4_089_184_256, 24.7)
    assert sum(layer["macs"] for layer in told["layers"]) == told["total"]["macs"] == told["macs"]
    assert cli.main(["models", "googlenet"]) == 0
    lines = capsys.readouterr().out
    assert "1,498,376,192" in lines and "Conv2d 7×7 /2" in lines


def test_the_command_lists_every_network(capsys, monkeypatch):
    few = ["alexnet", "googlenet", "small-inception"]
    monkeypatch.setattr(models, "names", lambda: few)
    assert cli.main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in few)
    assert "6,624,904" in text and "googlenet 6,379,984" in text
    assert cli.main(["models", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == few


@pytest.mark.parametrize(("arguments", "command"), [([], "models"), (["exercises"], "verify")])
def test_a_command_without_its_command_lists_them(arguments, command, capsys):
    assert cli.main(arguments) == 2
    assert f"\n    {command} " in capsys.readouterr().out


def test_the_command_names_what_is_wrong(capsys):
    for arguments, words in (
        (["models", "resnet51"], "near it: resnet56, resnet50"),
        (["models", "alexnet", "--size", "20"], "63×63"),
    ):
        with pytest.raises(SystemExit) as stopped:
            cli.main(arguments)
        assert stopped.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("short", "name"),
    [
        ("resnet50", "resnet-50"),
        ("ResNet-50", "resnet-50"),
        ("resnet20", "cifar-resnet-20"),
        ("plain56", "cifar-plain-56"),
        ("inception_v3", "inception-v3"),
    ],
)
def test_a_network_answers_to_its_name_without_dashes(short, name):
    assert models.entry(short).name == name
