# SPDX-License-Identifier: MIT
"""For every pytest program: --only NODE, which `./test --only` hands down."""


def pytest_addoption(parser):
    parser.addoption("--only", help="one test, by its node id")


def pytest_collection_modifyitems(config, items):
    only = config.getoption("--only")
    if only:
        items[:] = [item for item in items if item.nodeid == only]
