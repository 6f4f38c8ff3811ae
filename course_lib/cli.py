"""The command ``course``: what the package knows, in a terminal."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from course_lib.grading import run, similarity, verify
from course_lib.grading.jail import LEVELS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="course", description="The networks of the course, and grading its exercises.")
    parser.set_defaults(run=usage, command=parser)
    commands = parser.add_subparsers(metavar="COMMAND")
    command = add(commands, "models", show, "the networks of the course and what they cost")
    command.description = (
        "Without NAME: every network, with parameters, multiply-adds and published errors. With NAME: its layers."
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a network, as the table names it: resnet-50")
    command.add_argument("--size", type=int, metavar="PIXELS", help="height and width of the image instead of the published ones")
    command.add_argument("--json", action="store_true", help="for programs")
    command = add(commands, "train", train, "train a network by a paper's recipe; stopped, the same command goes on")
    command.add_argument("model", metavar="MODEL", help="a network, as `course models` names it; resnet20 is cifar-resnet-20")
    words = "he2015-cifar, resnext-cifar, se-cifar, fast, or a JSON file like theirs (%(default)s)"
    command.add_argument("--recipe", default="fast", metavar="RECIPE", help=words)
    words = "digits, shapes, cifar10, cifar100, fashion_mnist, or a folder with train/CLASS and test/CLASS (%(default)s)"
    command.add_argument("--data", default="digits", metavar="DATA", help=words)
    command.add_argument("--root", default="data", metavar="FOLDER", help="where torchvision's sets are (%(default)s)")
    command.add_argument("--download", action="store_true", help="let torchvision fetch a set that is not there")
    command.add_argument(
        "--image-size", type=int, metavar="PIXELS", help="resize the images of a folder to this height and width"
    )
    words = "squeeze the recipe into so many passes over the data (default: the recipe's own length)"
    command.add_argument("--epochs", type=float, metavar="N", help=words)
    words = "an option of the network, such as shortcut=C; may be repeated"
    command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=words)
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of weights, order, crops and mirroring (%(default)s)")
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda or mps (default: the best of this machine)")
    words = "float32, bf16 or fp16 for what bears it (%(default)s)"
    command.add_argument("--precision", default="float32", metavar="PRECISION", help=words)
    words = "one compiled step or none (default: where one GPU trains)"
    command.add_argument("--compile", action=argparse.BooleanOptionalAction, help=words)
    command.add_argument(
        "--out", default="runs", metavar="FOLDER", help="where runs live, each in a folder of its own (%(default)s)"
    )
    run.add_options(add(commands, "grade", run.grade_class, "grade a class: every hand-in in a folder, jailed"))
    command = add(commands, "doctor", examine, "which jail this machine gives to answers, proved by attacking it")
    command.add_argument("--level", choices=LEVELS, help="try this one (default: the best there is)")
    command = add(commands, "exercises", usage, "for authors of exercises")
    exercises = command.add_subparsers(metavar="COMMAND")
    verify.add_options(
        add(exercises, "verify", verify.main, "do the graded tests test: solutions, stubs, wrong answers, mutants")
    )
    similarity.add_options(add(commands, "similarity", similarity.main, "pairs of hand-ins that agree beyond the stub"))
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ValueError as error:
        options.command.error(str(error))
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def add(commands, name: str, function: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    """A command that calls the function with its options."""
    command = commands.add_parser(name, help=what, description=what[0].upper() + what[1:])
    command.set_defaults(run=function, command=command)
    return command


def usage(options: argparse.Namespace) -> int:
    """A command that needs another one says which there are."""
    options.command.print_help()
    return 2


def examine(options: argparse.Namespace) -> int:
    from course_lib.grading import doctor

    return doctor.main(options.level)


def train(options: argparse.Namespace) -> int:
    from course_lib.scale import command  # with torch, which a grader loads later

    return command.main(options)


def show(options: argparse.Namespace) -> int:
    from course_lib import listing  # with torch's counter, which a grader need not load

    return listing.show(options)


if __name__ == "__main__":
    sys.exit(main())
