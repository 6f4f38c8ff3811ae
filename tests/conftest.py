"""What takes long and proves little more than the rest runs with ``--all`` alone (``make test-all``)."""


def pytest_addoption(parser):
    words = "also what takes long: every jail level, every wrong answer in a jail, the deepest networks of each family"
    parser.addoption("--all", action="store_true", help=words)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs with --all alone")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--all"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
