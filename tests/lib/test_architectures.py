"""What users do with any network of the catalogue: train it, move it, save it, change its ends, compile it."""

import copy
import csv
import io
import pickle
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from donors import scores_of
from parity import one_thread  # noqa: F401 (a fixture)
from torch import nn

from course_lib import models
from course_lib.cost import count, count_parameters
from course_lib.models import AuxiliaryScores, ResNeXtBlock, concat_form, cross_entropy, googlenet, split_form
from course_lib.models.squeeze_excitation import SENet154Block

# One of each kind; deeper and wider ones of a family differ from these by numbers alone, which test_parity.py holds.
KINDS = [
    *("alexnet", "vgg-16-bn", "plain-18", "resnet-18", "resnet-50", "preact-resnet-18", "preact-resnet-50", "googlenet"),
    *("bn-inception", "inception-v3", "inception-v4", "inception-resnet-v1", "inception-resnet-v2", "xception", "mobilenet"),
    *("resnext-50-32x4d", "se-resnet-50", "se-resnext-50-32x4d", "se-googlenet", "se-bn-inception", "senet-154"),
    *("cifar-plain-20", "cifar-resnet-20", "cifar-preact-resnet-110", "cifar-preact-resnet-164", "cifar-resnext-29-8x64d"),
    *("cifar-se-resnet-20", "small-inception", "small-xception", "small-mobilenet"),
]
HEAVY = ["vgg-16-bn", "senet-154", "inception-resnet-v2"]  # hundreds of megabytes, and no layer that the others have not
# Large ones, put together as others are: these tests have them with `--all`.
LARGE = [
    *("alexnet", "resnet-50", "preact-resnet-50", "inception-v4", "inception-resnet-v1", "resnext-50-32x4d", "se-bn-inception"),
    *("se-resnext-50-32x4d", "cifar-preact-resnet-164", "cifar-preact-resnet-110", "cifar-resnext-29-8x64d", *HEAVY),
]
COMPILED = [  # one for each way of putting layers together
    *("alexnet", "googlenet", "inception-resnet-v1", "mobilenet", "small-xception"),
    *("cifar-plain-20", "cifar-resnet-20", "preact-resnet-18", "cifar-resnext-29-8x64d", "cifar-se-resnet-20"),
]
PAPER = ["alexnet", "googlenet", "inception-v3", "inception-resnet-v1", "inception-resnet-v2", "mobilenet"]


def large(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if name in LARGE else []


def size_for(name: str) -> tuple[int, int]:
    """A small, odd, not square size that the network takes in training too."""
    if name.startswith("inception"):
        return (301, 299) if name == "inception-v3" else (77, 92)
    if name in ("alexnet", "googlenet"):
        return (83, 92)  # the paper's forms need a little more than the others
    return (9, 12) if name.startswith(("cifar", "small")) else (37, 50)


def small_network(name: str, **options) -> nn.Module:
    torch.manual_seed(0)
    return models.create(name, num_classes=7, in_channels=1, **options)


TRAINED = [(name, False) for name in KINDS] + [(name, True) for name in PAPER if name != "inception-v3"]


@pytest.mark.parametrize(("name", "paper"), [pytest.param(*one, marks=large(one[0])) for one in TRAINED])
def test_it_trains_at_two_batch_sizes_and_an_unusual_size(name, paper):
    net = small_network(name, **({"paper": True} if paper else {}))
    for batch in (2, 3):
        images = torch.randn(batch, 1, *size_for(name))
        labels = torch.arange(batch)
        output = net.train()(images)
        assert all(scores.shape == (batch, 7) for scores in scores_of(output))
        net.zero_grad()
        cross_entropy(output, labels).backward()
        missing = [key for key, parameter in net.named_parameters() if parameter.grad is None]
        assert not missing, f"no gradient reaches {missing[0]}"
    with torch.no_grad():
        assert net.eval()(images).shape == (3, 7)


@pytest.mark.parametrize("name", [pytest.param(name, marks=large(name)) for name in KINDS if name not in HEAVY])
def test_it_survives_saving_pickling_copying_and_another_memory_format(name):
    net = small_network(name).eval()
    assert same_weights(net, small_network(name)), "a seed does not set the weights"
    images = torch.randn(2, 1, *(size_for(name) if name != "inception-v3" else (75, 80)))
    saved = io.BytesIO()
    torch.save(net.state_dict(), saved)
    saved.seek(0)
    torch.manual_seed(1)
    loaded = models.create(name, num_classes=7, in_channels=1).eval()
    assert not same_weights(net, loaded), "another seed gives the same weights"
    loaded.load_state_dict(torch.load(saved, weights_only=True))
    with torch.inference_mode():
        expected = net(images)
        assert torch.equal(loaded(images), expected)
        assert torch.equal(copy.deepcopy(net)(images), expected)
        assert torch.equal(pickle.loads(pickle.dumps(net))(images), expected)
        close(loaded.to(memory_format=torch.contiguous_format)(images), expected)
        close(net(images.contiguous(memory_format=torch.channels_last)), expected)
        assert net.bfloat16()(images[:1].bfloat16()).isfinite().all()


@pytest.mark.parametrize("name", [pytest.param(name, marks=large(name)) for name in COMPILED])
def test_it_compiles_in_one_piece(name):
    net = small_network(name).eval()
    images = torch.randn(2, 1, *(size_for(name) if name != "inception-v3" else (75, 80)))
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    with torch.no_grad():
        close(compiled(images), net(images))
    torch.compiler.reset()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", KINDS)
def test_half_precision_on_a_gpu(name):
    net = small_network(name).cuda().half().eval()
    with torch.no_grad():
        assert net(torch.randn(2, 1, *size_for(name), device="cuda", dtype=torch.half)).isfinite().all()


def same_weights(net: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert (found - expected).abs().max() <= 1e-3 * expected.abs().max() + 1e-6


def test_auxiliary_classifiers_work_in_training_alone():
    torch.manual_seed(0)
    net, images, labels = googlenet(5), torch.randn(2, 3, 64, 64), torch.tensor([1, 4])
    output = net.train()(images)
    assert isinstance(output, AuxiliaryScores) and len(output.auxiliary) == 2 and output.weight == 0.3
    main, first, second = (F.cross_entropy(scores, labels) for scores in (output.scores, *output.auxiliary))
    assert cross_entropy(output, labels).item() == pytest.approx((main + 0.3 * (first + second)).item())
    assert isinstance(net.eval()(images), torch.Tensor)
    assert isinstance(googlenet(5, aux=False).train()(images), torch.Tensor)
    assert models.create("inception-v3", 5).weight == 0.4


def test_label_smoothing_spreads_a_part_of_each_label():
    scores, labels = torch.tensor([[2.0, 0.0, 0.0, 1.0]]), torch.tensor([0])
    target = torch.tensor([[0.925, 0.025, 0.025, 0.025]])
    expected = -(target * scores.log_softmax(1)).sum()
    assert cross_entropy(scores, labels, 0.1).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("stride", [1, 2])
def test_the_three_forms_of_a_resnext_block_are_equal(stride):
    """Xie et al. 2017, Figure 3: outputs, gradients and statistics in training, parameters and multiply-adds."""
    torch.manual_seed(0)
    block = ResNeXtBlock(256, 64, stride).double()
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.2)
    images, weights = torch.randn(4, 256, 9, 9).double(), torch.randn(256).double()
    forms = [block, split_form(copy.deepcopy(block)), concat_form(copy.deepcopy(block))]
    results = []
    for form in forms:
        batch = images.clone().requires_grad_()
        output = form.train()(batch)
        (output * weights[:, None, None]).sum().backward()
        means = torch.cat([norm.running_mean for norm in form.modules() if isinstance(norm, nn.BatchNorm2d)])
        variances = torch.cat([norm.running_var for norm in form.modules() if isinstance(norm, nn.BatchNorm2d)])
        results.append((output, batch.grad, means.sort().values, variances.sort().values))  # the forms order channels differently
    for other in results[1:]:
        for expected, found in zip(results[0], other, strict=True):
            assert (expected - found).abs().max() < 1e-12 * expected.abs().max()
    costs = {(count_parameters(form), count(form, (256, 9, 9)).macs) for form in forms}
    assert len(costs) == 1
    assert stride == 2 or count_parameters(block) == 71_168


def test_cardinality_one_is_a_bottleneck():
    """Xie et al. 2017, section 3.3: C = 1 and d = 64 give the bottleneck of ResNet-50."""
    torch.manual_seed(0)
    block, bottleneck = ResNeXtBlock(256, 64, 1, cardinality=1, base_width=64).eval(), models.Bottleneck(256, 64).eval()
    bottleneck.load_state_dict(block.state_dict())
    images = torch.randn(2, 256, 5, 5)
    assert torch.equal(block(images), bottleneck(images))


def test_squeeze_and_excitation_gates_every_channel_by_the_mean_of_all():
    torch.manual_seed(0)
    block, x = models.SqueezeExcitation(32), 50 * torch.randn(3, 32, 5, 7)  # far beyond the bounds of ReLU6
    _, down, _, up, _ = block.gate
    hidden = torch.relu(x.mean((2, 3)) @ down.weight.flatten(1).T + down.bias)
    gate = torch.sigmoid(hidden @ up.weight.flatten(1).T + up.bias)
    torch.testing.assert_close(block(x), x * gate[:, :, None, None])


def test_a_separable_convolution_is_a_convolution_of_rank_one_per_channel():
    torch.manual_seed(0)
    separable, x = models.SeparableConv(6, 4), torch.randn(2, 6, 9, 9)
    depthwise, pointwise = separable[0].weight, separable[1].weight  # (6, 1, 3, 3), (4, 6, 1, 1)
    torch.testing.assert_close(separable(x), F.conv2d(x, pointwise * depthwise.transpose(0, 1), padding=1))
    assert [count_parameters(models.SeparableConv(6, 4, groups=g)) for g in (1, 2, 6)] == [348, 186, 78]


def test_the_catalogue_names_each_network_once_and_every_kind_is_tried():
    assert len(set(models.names())) == len(models.names())
    assert {models.entry(name).family for name in KINDS} == {models.entry(name).family for name in models.names()}
    assert all(models.entry(name).source for name in models.names() if models.entry(name).top1)


RECORDED = Path(__file__).with_name("scores.csv")  # python tests/lib/test_architectures.py writes it anew
SIZES = {
    "alexnet": (75, 92),
    "googlenet": (83, 92),
    "inception-v3": (299, 301),
    "inception-resnet-v1": (107, 124),
    "inception-resnet-v2": (107, 124),
}


def with_set_weights(net: nn.Module) -> nn.Module:
    """The network in double precision with weights that follow a sine, the same with every version of torch."""
    net = net.double().eval()
    with torch.no_grad():
        for i, (name, value) in enumerate(net.state_dict().items()):
            if value.is_floating_point():
                wave = torch.sin(torch.arange(value.numel(), dtype=value.dtype) * 1.7 + i).view(value.shape)
                centre = 1.0 if name.endswith("running_var") or value.ndim == 1 and name.endswith("weight") else 0.0
                value.copy_(centre + wave * (2 * (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.3))
    return net


def record(name: str, paper: bool) -> dict[str, str]:
    """Scores, auxiliary ones too, for set weights and a set image; dropout, which they cannot show, and parameters."""
    with torch.device("meta"):
        net = models.create(name, 3, 2, **({"paper": True} if paper else {}))
    parameters = count_parameters(net)
    for parent in list(net.modules()):  # AlexNet's dense layers: 64 for 4096
        for child, layer in parent.named_children():
            if isinstance(layer, nn.Linear) and 4096 in (layer.in_features, layer.out_features):
                wide = (64 if size == 4096 else size for size in (layer.in_features, layer.out_features))
                setattr(parent, child, nn.Linear(*wide, device="meta"))
    net = with_set_weights(net.to_empty(device="cpu"))
    net.training = True  # of the whole network alone, for the auxiliary classifiers: no dropout, no statistics of the batch
    height, width = SIZES.get(name, (9, 12) if name.startswith(("cifar", "small")) else (49, 66))
    image = torch.sin(torch.arange(2 * height * width, dtype=torch.float64) ** 1.3).view(1, 2, height, width) * 3
    with torch.no_grad():
        scores = torch.cat(scores_of(net(image))).flatten()
    dropout = " ".join(str(layer.p) for layer in net.modules() if isinstance(layer, nn.Dropout))
    shown = " ".join(f"{score:.8e}" for score in scores.tolist())
    return {"name": name, "paper": str(paper), "parameters": str(parameters), "dropout": dropout, "scores": shown}


WITHOUT_DONOR = [
    (name, False) for name in models.names() if not models.entry(name).donor and "1001" not in name and "1202" not in name
]
WITHOUT_DONOR += [(name, True) for name in PAPER]


@pytest.mark.parametrize(("name", "paper"), WITHOUT_DONOR)
def test_a_network_without_donor_computes_what_it_did(name, paper):
    """Proves nothing of the paper; a change that no other test sees would change what the book's results mean."""
    rows = {(row["name"], row["paper"]): row for row in csv.DictReader(RECORDED.open(encoding="utf-8"))}
    expected, found = rows[name, str(paper)], record(name, paper)
    assert [found[key] for key in ("parameters", "dropout")] == [expected[key] for key in ("parameters", "dropout")]
    assert [*map(float, found["scores"].split())] == pytest.approx([*map(float, expected["scores"].split())], rel=1e-5)


BLOCKS = [models.PlainBlock, models.BasicBlock, models.Bottleneck, models.PreActBlock, models.PreActBottleneck,
          models.ResNeXtBlock, SENet154Block, models.DepthwiseSeparable]  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_keeps_the_size_unless_told_otherwise(block):
    with torch.device("meta"):
        assert block(64, 64)(torch.empty(2, 64, 9, 9)).shape == (2, block(64, 64).out_channels, 9, 9)
        assert block(64, 64, 2)(torch.empty(2, 64, 9, 9)).shape[2:] == (5, 5)


if __name__ == "__main__":
    torch.set_num_threads(1)
    writer = csv.DictWriter(sys.stdout, ["name", "paper", "parameters", "dropout", "scores"], lineterminator="\n")
    writer.writeheader()
    for name, paper in WITHOUT_DONOR:
        writer.writerow(record(name, paper))
