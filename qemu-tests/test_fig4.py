# SPDX-License-Identifier: GPL-2.0-or-later
"""The fleet decides by itself what to do about failure, peaks, lulls, age and intrusion, while requests go on."""
import copy

import pytest
import yaml

import fig4
import fleet
import scenes


@pytest.fixture
def figure_of(request):
    """Makes a figure in a network namespace of its own; everything ends with the test."""
    figures = []
    old = fleet.enter_new_network()

    def make(document, **options):
        folder = fleet.BUILD / "qemu-tests" / request.node.name
        fig4.shutil.rmtree(folder, ignore_errors=True)
        figures.append(fig4.Figure(folder, document, **options))
        return figures[-1]
    yield make
    for figure in figures:
        figure.stop()
        for disk in figure.folder.glob("*/disk.img"):
            disk.unlink()
    fleet.return_to_network(old)


def short_of(document):
    """Four minimal servers, 2 GiB of memory: a web service of two, a cache, a spare."""
    short = copy.deepcopy(document)
    short["groups"] = {name: group for name, group in short["groups"].items() if group["os"] == "minimal"}
    nodes = short["nodes"][:4]
    for node, group in zip(nodes, ("web-minimal", "web-minimal", "cache-minimal", None)):
        node.pop("group", None)
        node.pop("spare", None)
        node.update({"group": group} if group else {"spare": True})
    short["nodes"] = nodes
    return short


@pytest.mark.xdist_group("fig4")
def test_spare_replaces_a_dead_server_and_reimage_loses_no_request(figure_of):
    figure = figure_of(short_of(yaml.safe_load(fig4.EXAMPLE.read_text())), warm={"s4": ("minimal", None)}, memory=512)
    figure.start()
    scenes.reimage(figure)
    measured = scenes.failure(figure, "s3")
    assert measured["came"] == "s4", measured


@pytest.mark.long
@pytest.mark.xdist_group("fig4")
def test_figure_4(figure_of):
    figure = figure_of(yaml.safe_load(fig4.EXAMPLE.read_text()), warm=fig4.WARM)
    figure.start()
    measured = fig4.play(figure)
    assert (measured["failure"]["came"], measured["peak"]["came"]) == ("s5", "s6"), measured
    assert measured["intrusion"]["balancer"] <= 1 and measured["intrusion"]["power"] <= 2, measured
