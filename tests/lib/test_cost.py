"""Costs: closed forms, parts that add up to the total, and a network that is not changed by being counted."""

import pytest
import torch
from torch import nn

from course_lib.cost import conv_macs, count, count_parameters, stage_costs
from course_lib.models import cifar_resnet, imagenet_resnet, plain_net


@pytest.mark.parametrize(("cin", "cout", "kernel", "size", "groups"), [(3, 16, 3, 32, 1), (64, 64, 1, 7, 1), (32, 64, 5, 9, 8)])
def test_a_convolution_costs_its_closed_form(cin, cout, kernel, size, groups):
    conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, groups=groups)
    assert count(conv, (cin, size, size)).macs == conv_macs(cin, cout, kernel, size, size, groups)


def test_stages_add_up_to_the_total():
    for net, shape in ((imagenet_resnet(50), (3, 224, 224)), (cifar_resnet(20), (3, 32, 32))):
        for depth in (1, 2, 3):
            *parts, total = stage_costs(net, shape, depth=depth)
            assert sum(part.macs for part in parts) == total.macs
            assert sum(part.parameters for part in parts) == total.parameters == count_parameters(net)


def test_shapes_follow_table_1_of_the_paper():
    rows = {row.name: row.output_shape for row in stage_costs(imagenet_resnet(152), (3, 224, 224), depth=2)}
    assert rows["stem.2"] == (64, 56, 56)
    assert [rows[f"stages.{i}"] for i in range(4)] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]


def test_counting_changes_nothing_and_needs_no_batch():
    net = plain_net(8).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count(net, (3, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training and next(net.parameters()).device.type == "cpu"


def test_a_network_on_the_meta_device_counts_as_well():
    with torch.device("meta"):
        net = imagenet_resnet(152)
    assert count(net, (3, 224, 224)).macs == 11_513_626_624


def test_a_shared_parameter_counts_once():
    layer = nn.Linear(8, 8, bias=False)
    assert count_parameters(nn.Sequential(layer, layer)) == 64
