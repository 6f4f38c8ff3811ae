"""Quizzes: their numbers follow from the course's own code or stand in the chapter, and a broken file says what is wrong."""

import base64
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from course_lib import quizzes
from course_lib.cost import conv_macs, count, count_parameters
from course_lib.models import (
    Bottleneck,
    ResNeXtBlock,
    cifar_resnet,
    classifier,
    convs,
    create,
    entry,
    imagenet_resnet,
    plain_net,
    se_resnet,
)
from course_lib.quizzes import Quiz, names, read
from course_lib.results import load_networks
from course_lib.scale import load_recipe

BOOK = Path(__file__).resolve().parents[2] / "book"
CHAPTERS = sorted(file.stem for file in BOOK.glob("[0-9]*.ipynb"))


def weights(net: nn.Module) -> int:
    """Without biases and normalisation; build large ones on the meta device."""
    return sum(p.numel() for p in net.parameters() if p.ndim > 1)


# The numeric answers, computed anew: of each question the answer, then its wrong values in the order of the file.


def factor_per_layer():
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in plain_net(56).modules())
    assert convolutions == 55
    lost = 24 / (convolutions - 1)
    return 10**-lost, lost, 10**lost


def identity_blocks():
    deep, shallow = ([len(stage) for stage in plain_net(depth).stages] for depth in (56, 20))
    return sum(deep) - sum(shallow), 56 - 20, deep[0] - shallow[0], sum(deep)


def bottleneck_weights():
    down, middle, up = (layer for layer in Bottleneck(512, 128).branch.modules() if isinstance(layer, nn.Conv2d))
    whole = weights(nn.Sequential(down, middle, up))
    wide = weights(nn.Conv2d(512, 512, 3))
    return whole, weights(middle), weights(down) + weights(middle), 2 * wide, whole + 128 + 128 + 512


def reduced_branch():
    own, kernel = (conv_macs(*layer, 28, 28) for layer in ((192, 16, 1), (16, 32, 5)))
    naive = conv_macs(192, 32, 5, 28, 28)
    both = count(convs(192, (16, 1), (32, 5)), (192, 28, 28)).macs
    assert both == own + kernel
    return both, kernel, own, 2 * both, naive, both / 28**2, both / 1e6


def pooled_head():
    with torch.device("meta"):
        averaged, flat = classifier(1024, 200), nn.Linear(1024 * 7 * 7, 200)
    saved = {classes: 48 * 1024 * classes for classes in (200, 1000)}
    answer = count_parameters(flat) - count_parameters(averaged)
    assert answer == saved[200]
    return answer, count_parameters(flat), weights(flat), count_parameters(averaged), saved[1000]


def break_even_stride():
    """The largest d that saves, by trying them all."""

    def largest(stride, positions):
        direct = conv_macs(256, 128, 3, 28 // stride, 28 // stride)
        own = [conv_macs(256, d, 1, 28, 28) * positions + conv_macs(d, 128, 3, 28 // stride, 28 // stride) for d in range(257)]
        return max(d for d in range(257) if own[d] < direct)

    assert round(256 * 9 * 128 / (9 * 128 + 4 * 256), 1) == 135.5
    right = largest(2, 1)
    return right, largest(1, 1), largest(2, 0.5), right + 1, 255


def own_cost():
    direct, own, kernel = (conv_macs(*layer, 14, 14) for layer in ((256, 64, 5), (256, 32, 1), (32, 64, 5)))
    return direct / (own + kernel), direct / kernel, (own + kernel) / direct


def seven_by_seven():
    full = conv_macs(96, 64, 7, 14, 14)
    parts = conv_macs(96, 96, 7, 14, 14, groups=96) + conv_macs(96, 64, 1, 14, 14)
    return full / parts, 7**2, 64, 64 + 7**2, parts / full


def independent_channels():
    torch.manual_seed(0)
    images = torch.randn(1, 3, 40, 40)

    def rank(*layers):
        with torch.no_grad():
            maps = nn.Sequential(*layers)(images).flatten(2)[0]
        return torch.linalg.matrix_rank(maps, rtol=1e-4).item()

    separable = rank(nn.Conv2d(3, 3, 3, groups=3, bias=False), nn.Conv2d(3, 32, 1, bias=False))
    return separable, rank(nn.Conv2d(3, 32, 3, bias=False)), 32, 9, 1


def cheaper_ratio():
    def added(r):
        with torch.device("meta"):
            return count_parameters(se_resnet(50, reduction=r)) - count_parameters(imagenet_resnet(50))

    return added(4), added(16) / 4, added(16) * 16, added(4) / 1e6


def crossed_then_small():
    def sees(*kernels):
        field = count(convs(4, *((4, kernel) for kernel in kernels)), (4, 32, 32)).receptive_field
        assert field[0] == field[1]
        return field[0]

    right = sees((1, 5), (5, 1), 3)
    return right, sees(5, 5, 3), sees((1, 5), (5, 1)), 5 + 3, right**2


def residual_scale():
    torch.manual_seed(0)
    f, weight, toward = torch.randn(8, 5, dtype=torch.double), torch.randn(5, 3, dtype=torch.double), torch.randn(8, 3).double()

    def change(s):
        w = weight.clone().requires_grad_()
        (s * f @ w * toward).sum().backward()  # `toward` is the gradient at the sum
        return (s * f @ (w - 0.1 * w.grad) - s * f @ w).detach()

    part = (change(0.2) / change(1.0)).mean().item()
    return part, 0.2, 1 / part, 0.2**3


def smoothed_lead():
    def lead(classes, epsilon=0.1):
        wanted = torch.full((classes,), epsilon / classes, dtype=torch.double)
        wanted[0] += 1 - epsilon
        return (wanted[0].log() - wanted[1].log()).item()

    return lead(100), lead(10), math.exp(lead(100)), lead(100) / math.log(10)


def wider_outside():
    def cost(paths, d):
        inner = paths * d
        return conv_macs(512, inner, 1, 1, 1) + conv_macs(inner, inner, 3, 1, 1, groups=paths) + conv_macs(inner, 512, 1, 1, 1)

    one = cost(1, 128)
    assert one == 278_528 and cost(32, 7) < one
    d = min(range(1, 129), key=lambda d: abs(cost(32, d) - one))
    block = ResNeXtBlock(512, 128, cardinality=32, base_width=4)
    assert max(layer.groups for layer in block.modules() if isinstance(layer, nn.Conv2d)) == 32
    assert weights(block) == cost(32, d)
    return d, 128 / 32, 32 * d, 128


def swapped():
    written, meant, whole = (weights(nn.Conv2d(512, 512, 3, groups=groups)) for groups in (512 // 16, 16, 1))
    return written, meant, whole, written / 32, written + 512


def when_the_rate_falls():
    paper = load_recipe("he2015-cifar")
    recipe = replace(paper, batch_size=64)

    def first_drop(recipe, images):
        at = next(step for step in range(recipe.iterations(images)) if recipe.rate_at(step, images) < recipe.rate_at(0, images))
        return at * recipe.batch_size / images

    per_epoch = 100_000 / recipe.batch_size
    return first_drop(recipe, 100_000), recipe.epochs(100_000), first_drop(paper, 50_000), per_epoch


def four_devices():
    def step(images, fixed=10, each=0.5):
        return fixed + each * images

    return step(128) / step(32), 4, step(128) / step(32, fixed=0), step(128, each=1) / step(32, each=1)


def ten_times_as_exact():
    def error(images):
        return 100 * math.sqrt(0.1 * 0.9 / images)

    assert error(1000) == pytest.approx(0.95, abs=0.005) and error(10_000) == pytest.approx(0.3, abs=0.005)
    images = next(n for n in (1000 * k for k in range(1, 1000)) if error(n) <= error(1000) / 10 + 1e-12)
    return images, 10_000, images - 1000


def moving_numbers():
    with torch.device("meta"):
        layers = [layer for layer in imagenet_resnet(18).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(layers) == 20
    moving = sum(layer.running_mean.numel() + layer.running_var.numel() for layer in layers)
    return moving, 0, moving / 2, moving + sum(map(count_parameters, layers)), 2 * len(layers)


def kept_once():
    images, steps = 30, 60
    return steps * images / images, steps * images, steps * 32 / images, images


PROOFS = {
    "01_degradation": (factor_per_layer, identity_blocks),
    "02_residuals": (bottleneck_weights,),
    "03_inception": (reduced_branch, pooled_head),
    "04_one_by_one": (break_even_stride, own_cost),
    "05_separable": (seven_by_seven, independent_channels),
    "06_squeeze_excitation": (cheaper_ratio,),
    "07_inception_family": (crossed_then_small, residual_scale, smoothed_lead),
    "08_resnext": (wider_outside, swapped),
    "09_at_scale": (when_the_rate_falls, four_devices),
    "10_choosing": (ten_times_as_exact,),
    "11_transfer": (moving_numbers, kept_once),
}


@pytest.mark.parametrize("name", CHAPTERS)
def test_numeric_answers_and_named_mistakes_follow_from_the_course_code(name):
    numeric = {question["id"]: question for question in Quiz(name).questions if "answer" in question}
    proofs = {proof.__name__.replace("_", "-"): proof for proof in PROOFS[name]}
    assert numeric.keys() == proofs.keys()
    for key, question in numeric.items():
        written = [question["answer"], *(wrong["value"] for wrong in question["wrong"])]
        # Typed numbers are rounded; they must be exact where the answer must.
        assert written == pytest.approx(list(proofs[key]()), rel=max(0.2 * question.get("tolerance", 0), 1e-9)), key


# Other numbers in the texts: from the chapter, or computed here.


def facts_02():
    yield from (f"{conv_macs(512, 128, 1, 1, 1):,}", f"{conv_macs(128, 128, 3, 1, 1):,}")
    plain, residual = (count(build(20), (3, 32, 32)).macs for build in (plain_net, cifar_resnet))
    assert plain == residual
    yield f"{residual:,}"


def facts_06():
    with torch.device("meta"):
        added = count_parameters(se_resnet(50)) - count_parameters(imagenet_resnet(50))
    yield f"{added / 1e6:.1f}"
    yield from (f"{24.80 - 23.29:.2f}", f"{23.30 - 22.28:.2f}", f"{24.80 - 22.28:.2f}")


def facts_10():
    with torch.device("meta"):
        half, alexnet, ten = count(imagenet_resnet(50), (3, 112, 112)), create("alexnet"), imagenet_resnet(50, num_classes=10)
    recorded = load_networks().networks  # that it is what the code gives is another test's matter
    whole, xception, better = (recorded[name] for name in ("resnet-50", "xception", "se-resnext-101-32x4d"))
    assert whole.parameters == half.parameters and whole.activations > 3.9 * half.activations

    def gigabytes(parameters, cost):
        return 4 * (parameters + 256 * cost.activations) / 1e9

    numbers = whole.parameters
    assert round(gigabytes(3 * numbers, whole)) == 29
    assert numbers - count_parameters(ten) == pytest.approx(2e6, rel=0.02)
    yield f"{gigabytes(3 * numbers, half):.1f}"  # smaller images
    yield from (f"{4 * numbers / 1e9:.1f}", f"{6 * numbers / 1e9:.2f}", f"{12 * numbers / 1e9:.1f}")  # momentum, half, all
    dense = sum(count_parameters(layer) for layer in alexnet.modules() if isinstance(layer, nn.Linear))
    yield f"{dense / 1e6:.1f}"
    yield from ("19.5", f"{23.87 - 19.5:.1f}")  # the invented network
    yield from ("0.95", "0.095", "0.3", "1,000")  # ten_times_as_exact
    assert better.macs < xception.macs and better.parameters > xception.parameters
    assert entry("se-resnext-101-32x4d").top1 < entry("xception").top1


FACTS = {  # beside them: numbers of the answers, and examples of how to write one
    "01_degradation": lambda: ["0.36", f"{28.54 - 27.94:.1f}"],
    "02_residuals": facts_02,
    "03_inception": lambda: ["12.4", "1.23"],
    "04_one_by_one": lambda: [f"{25 * 256 * 64:,}", f"{256 * 32 + 25 * 32 * 64:,}", "135.5"],
    "06_squeeze_excitation": lambda: [*facts_06(), "1.2"],
    "07_inception_family": lambda: ["0.2"],
    "08_resnext": lambda: ["278,528", "7.9"],
    "09_at_scale": lambda: ["100,000"],
    "10_choosing": facts_10,
    "11_transfer": lambda: ["9,600", "4,800"],
}


def texts(value):
    """All texts of a quiz."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def chapter(name: str) -> tuple[list[str], str]:
    """Headings of a chapter, and all that is written and printed in it."""
    cells = json.loads((BOOK / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    told = ["".join(cell["source"]) for cell in cells]
    for output in (output for cell in cells for output in cell.get("outputs", ())):
        told.append("".join(output.get("text", ())) + "".join(output.get("data", {}).get("text/plain", ())))
    return re.findall(r"^## (.*)$", "\n".join(told), re.M), "\n".join(told)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_number_in_the_texts_stands_in_the_chapter_or_is_computed_here(name):
    said, told = (
        set(re.findall(r"\d+(?:,\d{3})+|\d+\.\d+", text)) for text in (" ".join(texts(Quiz(name).questions)), chapter(name)[1])
    )
    unknown = said - told - set(FACTS.get(name, list)())
    assert not unknown


@pytest.mark.parametrize("name", CHAPTERS)
def test_sections_named_in_a_quiz_are_in_the_chapter(name):
    named = {section for text in texts(Quiz(name).questions) for section in re.findall("“(.*?)”", text)}
    assert named and not named - set(chapter(name)[0])


def test_every_chapter_has_a_quiz_of_four_to_six_questions_with_a_number_to_work_out():
    assert names() == CHAPTERS
    for name in names():
        questions = Quiz(name).questions
        assert 4 <= len(questions) <= 6, name
        assert 1 <= sum("answer" in question for question in questions) < len(questions), name


def test_the_right_answer_is_no_habit_of_place_or_length():
    single = [question["options"] for name in names() for question in Quiz(name).questions if "options" in question]
    single = [options for options in single if sum(option.get("right", False) for option in options) == 1]
    places = [next(i for i, option in enumerate(options) if option.get("right")) for options in single]
    longest = sum(max(options, key=lambda option: len(option["text"])).get("right", False) for options in single)
    assert max(places.count(place) for place in range(4)) < 0.45 * len(single)
    assert longest < 0.4 * len(single)


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_element_shows_the_questions_and_hides_the_answers(name):
    quiz = Quiz(name)
    element = quiz._repr_html_()
    static, secret = re.sub('data-quiz=".*?"', "", element), base64.b64decode(re.search('data-quiz="(.*?)"', element)[1]).decode()
    assert repr(quiz).count("\n\n") == len(quiz.questions)
    for question in quiz.questions:
        assert quizzes.markup(question["question"]) in static
        assert question["question"].replace("`", "") in repr(quiz)
        feedback = [text for text in texts(quizzes.answers(question)) if len(text) > 60]
        assert feedback
        for text in feedback:
            assert json.dumps(text)[1:-1] in secret
            assert text not in element and quizzes.markup(text) not in element and text not in repr(quiz)
    assert '"right"' not in static.split("<style")[0]
    assert "<script data-live-only" in element and "<style data-live-only" in element


GOOD = {
    "title": "Quiz",
    "questions": [
        {
            "id": "one",
            "question": "Which `one`?",
            "options": [{"text": "a", "feedback": "No."}, {"text": "b", "right": True, "feedback": "Yes."}],
        },
        {
            "id": "two",
            "question": "How many?",
            "answer": 100,
            "unit": "weights",
            "tolerance": 0.01,
            "right": "Yes.",
            "wrong": [{"value": 50, "feedback": "Half."}],
            "otherwise": "No.",
        },
    ],
}


def changed(*path_and_value):
    *path, key, value = path_and_value
    quiz = json.loads(json.dumps(GOOD))
    part = quiz
    for step in path:
        part = part[step]
    if value is None:
        del part[key]
    else:
        part[key] = value
    return quiz


@pytest.mark.parametrize(
    ("quiz", "told"),
    [
        (changed("questions", []), "no questions"),
        (changed("subtitle", "x"), "unknown key 'subtitle'; it may have title, questions"),
        (changed("title", None), "'title' is missing"),
        (changed("questions", 0, "opt", []), "question 1: unknown key 'opt'"),
        (changed("questions", 0, "question", " "), "question 1: 'question' is empty"),
        (changed("questions", 0, "question", "A `b"), "backtick"),
        (changed("questions", 0, "id", "No spaces"), "small letters"),
        (changed("questions", 1, "id", "one"), "question 2: question 1 has the id 'one' already"),
        (changed("questions", 0, "options", 0, "feedback", ""), "question 1 (one), option 1: 'feedback' is empty"),
        (changed("questions", 0, "options", 0, "right", "yes"), "must be true or false"),
        (changed("questions", 0, "options", 0, "right", True), '2 options are right; mark one with "right": true'),
        (changed("questions", 0, "options", 1, "right", None), "0 options are right"),
        (changed("questions", 0, "options", 1, "text", "a"), "no two alike"),
        (changed("questions", 0, "options", 3), "'options' must be a list"),
        (changed("questions", 0, 7), "question 1 must be an object"),
        (changed("questions", 1, "answer", "100"), "'answer' must be a number"),
        (changed("questions", 1, "answer", True), "'answer' must be a number"),
        (changed("questions", 1, "tolerance", 2), "0.01 means one percent"),
        (changed("questions", 1, "otherwise", None), "'otherwise' is missing"),
        (changed("questions", 1, "wrong", 0, "value", 101), "cannot be told from the answer"),
        (changed("questions", 1, "wrong", 0, "feedback", ""), "question 2 (two), wrong value 1: 'feedback' is empty"),
    ],
)
def test_a_broken_file_says_what_is_wrong_and_where(tmp_path, quiz, told):
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(quiz), encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(told)) as problem:
        read(file)
    assert str(problem.value).startswith("broken.json")


def test_good_and_unreadable_files(tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(GOOD), encoding="utf-8")
    assert read(tmp_path / "good.json") == GOOD
    all_right = changed("questions", 0, "options", 0, "right", True)
    all_right["questions"][0]["several"] = True
    (tmp_path / "all.json").write_text(json.dumps(all_right), encoding="utf-8")
    with pytest.raises(ValueError, match="2 of 2 options are right"):
        read(tmp_path / "all.json")
    (tmp_path / "comma.json").write_text('{\n"title": "x",\n}', encoding="utf-8")
    with pytest.raises(ValueError, match="comma.json, line 3"):
        read(tmp_path / "comma.json")
    with pytest.raises(ValueError, match="quiz '1' is unknown; the course has 01_degradation"):
        Quiz("1")
