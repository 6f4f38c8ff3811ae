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
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = add(commands, "models", show, "the networks of the course and what they cost")
    command.description = (
        "Without NAME: every network, with parameters, multiply-adds and published errors. With NAME: its layers."
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="a network, as the table names it: resnet-50")
    command.add_argument("--size", type=int, metavar="PIXELS", help="height and width of the image instead of the published ones")
    command.add_argument("--json", action="store_true", help="for programs")
    run.add_options(add(commands, "grade", run.grade_class, "grade a class: every hand-in in a folder, jailed"))
    command = add(commands, "doctor", examine, "which jail this machine gives to answers, proved by attacking it")
    command.add_argument("--level", choices=LEVELS, help="try this one (default: the best there is)")
    exercises = commands.add_parser("exercises", help="for authors of exercises").add_subparsers(metavar="COMMAND", required=True)
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


def examine(options: argparse.Namespace) -> int:
    from course_lib.grading import doctor

    return doctor.main(options.level)


def show(options: argparse.Namespace) -> int:
    from course_lib import listing  # with torch's counter, which a grader need not load

    return listing.show(options)


if __name__ == "__main__":
    sys.exit(main())
