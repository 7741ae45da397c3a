"""Bases: what their labels say, which are refused, and that the Dockerfile's labels are those of its lock."""

from __future__ import annotations

import pytest

from headgate.imagebuild.base import parse_lock, parse_needs, read_base, render_labels
from headgate.imagebuild.errors import BaseRefused
from headgate.imagebuild.imageconfig import parse_config
from headgate.imagebuild.manifest import Platform
from imagekit.images import AMD64, BASE_LABELS, base_image

_LOCK = """\
apache-flink==2.3.0 \\
    --hash=sha256:1111
    # via headgate-runtime (pyproject.toml)
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:2222
async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
    --hash=sha256:3333
Ruamel.YAML==0.19.1
    # via apache-flink
numpy==2.1.3
    # via
    #   apache-flink
    #   pandas
"""


def test_the_labels_of_a_base_are_read() -> None:
    facts = read_base(parse_config(base_image().config, "it"), AMD64, "r.io/base")
    assert facts.packages == (("apache-flink", "2.3.0"), ("numpy", "2.1.3"), ("pandas", "2.2.3"))
    assert facts.required_by == (("numpy", ("apache-flink", "pandas")), ("pandas", ("apache-flink",)))
    assert (facts.python, facts.flink, facts.runtime) == ("3.11", "2.3.0", "0.1.0")
    assert facts.constraints == "apache-flink==2.3.0\nnumpy==2.1.3\npandas==2.2.3\n"
    assert facts.uv_platform == "x86_64-manylinux_2_28"


@pytest.mark.parametrize(
    ("labels", "architecture", "says"),
    [
        pytest.param(
            {},
            "amd64",
            "The base r.io/base was not made for Headgate: it lacks the labels dev.headgate.contract,",
            id="an image of somebody else",
        ),
        pytest.param(
            {key: value for key, value in BASE_LABELS.items() if not key.endswith("packages")},
            "amd64",
            "it lacks the label dev.headgate.packages. Use the published runtime image",
            id="a base without its packages",
        ),
        pytest.param(
            BASE_LABELS | {"dev.headgate.contract": "2"},
            "amd64",
            "follows contract 2, this builder 1",
            id="a newer base",
        ),
        pytest.param(
            BASE_LABELS | {"dev.headgate.packages": "numpy"}, "amd64", "'numpy' .* is not name==version", id="a bad pin"
        ),
        pytest.param(
            BASE_LABELS,
            "arm64",
            "is made for linux/arm64, and the job is to run on linux/amd64",
            id="a base for another architecture",
        ),
    ],
)
def test_other_images_are_no_base(labels: dict[str, str], architecture: str, says: str) -> None:
    config = parse_config(base_image(labels, architecture).config, "it")
    with pytest.raises(BaseRefused, match=says):
        read_base(config, AMD64, "r.io/base")


def test_a_machine_that_no_wheels_are_made_for_is_refused() -> None:
    config = parse_config(base_image(architecture="s390x").config, "it")
    with pytest.raises(BaseRefused, match="No Python packages can be chosen for linux/s390x"):
        read_base(config, Platform("linux", "s390x"), "r.io/base")


def test_a_lock_gives_what_is_installed_on_the_platform() -> None:
    assert parse_lock(_LOCK, "3.11", AMD64) == (
        ("apache-flink", "2.3.0"),
        ("async-timeout", "5.0.1"),
        ("numpy", "2.1.3"),
        ("ruamel-yaml", "0.19.1"),
    )


def test_a_lock_says_who_needs_what() -> None:
    assert parse_needs(_LOCK) == (("numpy", ("apache-flink", "pandas")), ("ruamel-yaml", ("apache-flink",)))


def test_labels_are_rendered_and_read_back() -> None:
    labels = dict(render_labels(_LOCK, runtime="0.1.0", python="3.11", platform=AMD64))
    facts = read_base(parse_config(base_image(labels).config, "it"), AMD64, "it")
    assert facts.packages == parse_lock(_LOCK, "3.11", AMD64)
    assert facts.required_by == parse_needs(_LOCK)
