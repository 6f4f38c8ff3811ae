"""Residual and plain networks: equal to the papers' counts, and to each other but for the shortcut."""

import pytest
import torch
from torch import nn

from course_lib.cost import count, count_parameters
from course_lib.models import (
    BasicBlock,
    Bottleneck,
    PadShortcut,
    PreActBlock,
    PreActBottleneck,
    cifar_preact_resnet,
    cifar_resnet,
    imagenet_plain_net,
    imagenet_preact_resnet,
    imagenet_resnet,
    plain_net,
)

OPTION_A = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
OPTION_B = {20: 272_474, 32: 466_906, 44: 661_338, 56: 855_770, 110: 1_730_714}
OPTION_C = {20: 283_962, 32: 489_594, 44: 695_226, 56: 900_858, 110: 1_826_202}
CIFAR_MACS = {20: 40_551_040, 32: 68_862_592, 44: 97_174_144, 56: 125_485_696, 110: 252_887_680}
IMAGENET = {  # depth: parameters, multiply-adds with the stride in the 3×3, and in the 1×1 as in the paper
    18: (11_689_512, 1_814_073_344, 1_814_073_344),
    34: (21_797_672, 3_663_761_408, 3_663_761_408),
    50: (25_557_032, 4_089_184_256, 3_857_973_248),
    101: (44_549_160, 7_801_405_440, 7_570_194_432),
    152: (60_192_808, 11_513_626_624, 11_282_415_616),
}


@pytest.fixture
def on_meta():
    """Networks built in the test have shapes and no numbers: counting needs no more."""
    with torch.device("meta"):
        yield


@pytest.mark.parametrize("depth", IMAGENET)
def test_imagenet_counts(depth, on_meta):
    parameters, macs, macs_of_the_paper = IMAGENET[depth]
    assert count_parameters(imagenet_resnet(depth)) == parameters
    assert count(imagenet_resnet(depth), (3, 224, 224)).macs == macs
    if depth >= 50:
        assert count(imagenet_resnet(depth, stride_in="1x1"), (3, 224, 224)).macs == macs_of_the_paper


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_preactivation_counts_are_timms(depth, on_meta):
    assert count_parameters(imagenet_preact_resnet(depth)) == {50: 25_549_352, 101: 44_541_480, 152: 60_185_128}[depth]


@pytest.mark.parametrize("depth", OPTION_A)
def test_cifar_counts_of_every_shortcut_option(depth, on_meta):
    for option, table in (("A", OPTION_A), ("B", OPTION_B), ("C", OPTION_C)):
        assert count_parameters(cifar_resnet(depth, shortcut=option)) == table[depth]
    assert count(cifar_resnet(depth), (3, 32, 32)).macs == CIFAR_MACS[depth]


def test_plain_and_option_a_have_the_same_layers_to_the_last_parameter():
    plain, residual = plain_net(56), cifar_resnet(56)
    assert [p.shape for p in plain.parameters()] == [p.shape for p in residual.parameters()]
    residual.load_state_dict(plain.state_dict())


def test_a_residual_net_without_its_shortcuts_is_the_plain_net():
    torch.manual_seed(0)
    plain, residual = plain_net(20, in_channels=1).eval(), cifar_resnet(20, in_channels=1).eval()
    residual.load_state_dict(plain.state_dict())
    for block in residual.modules():
        if isinstance(block, BasicBlock):
            block.shortcut = Zero()
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(plain(images), residual(images))


class Zero(nn.Module):
    def forward(self, x):
        return 0.0


def test_imagenet_plain_nets_lack_only_the_projections():
    for depth in (18, 34):
        projections = sum(
            count_parameters(block.shortcut) for block in imagenet_resnet(depth).modules() if isinstance(block, BasicBlock)
        )
        assert count_parameters(imagenet_plain_net(depth)) == count_parameters(imagenet_resnet(depth)) - projections


def test_pad_shortcut_keeps_the_channels_and_adds_zeros():
    x = torch.arange(2 * 3 * 4 * 4, dtype=torch.float32).view(2, 3, 4, 4)
    assert torch.equal(PadShortcut(3, 8)(x)[:, :3], x)
    y = PadShortcut(3, 8, stride=2)(x)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()
    both = PadShortcut(3, 8, stride=2, pad="both")(x)
    assert torch.equal(both[:, 2:5], x[:, :, ::2, ::2])
    assert torch.equal(both.sum(1), y.sum(1))


@pytest.mark.parametrize("depth", [20, 56])
def test_zero_init_makes_every_block_its_shortcut(depth):
    net = cifar_resnet(depth, in_channels=1, zero_init=True)
    for block in net.modules():
        if isinstance(block, BasicBlock):
            channels = block.branch[0].in_channels
            x = torch.rand(2, channels, 8, 8)  # not negative, as the ReLU before it leaves it
            assert torch.equal(block(x), block.shortcut(x))


def test_an_identity_shortcut_of_a_preactivated_stage_is_a_straight_line():
    """With every branch at zero, a stage without change of shape returns its input, negative values and all."""
    stage = nn.Sequential(*(PreActBlock(8, 8) for _ in range(5)))
    for block in stage:
        nn.init.zeros_(block.branch[-1].weight)
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(stage(x), x)


@pytest.mark.parametrize("bottleneck", [False, True])
def test_preactivated_cifar_nets_run(bottleneck):
    net = cifar_preact_resnet(29 if bottleneck else 20, in_channels=1, bottleneck=bottleneck)
    assert net(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net.stem.modules())


def test_the_1001_layer_network_has_about_the_parameters_of_the_paper():
    """He et al. 2016b, Table 4, prints 10.2 M; ours has 1 % more."""
    assert count_parameters(cifar_preact_resnet(1001, bottleneck=True)) == pytest.approx(10.2e6, rel=0.02)


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck, PreActBlock, PreActBottleneck])
@pytest.mark.parametrize("option", ["A", "B", "C"])
def test_every_block_takes_every_shortcut(block, option):
    made = block(16, 32, 2, shortcut=option)
    assert made(torch.randn(2, 16, 8, 8)).shape == (2, made.out_channels, 4, 4)


def test_he_initialisation_has_its_variance_and_torch_initialisation_a_smaller_one():
    torch.manual_seed(0)
    for init, low, high in (("he", 0.9, 1.1), ("torch", 0.1, 0.2)):
        weight = plain_net(20, init=init).stages[2][1].branch[0].weight
        ratio = weight.var() / (2 / (9 * weight.shape[0]))
        assert low < ratio < high
