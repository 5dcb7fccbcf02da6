"""Texts that stand for more than they show."""

import pytest
import yaml

from trainer.core import yaml_limits

_BOMB = "a0: &a0 [0]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_a_text_that_aliases_blow_up_is_refused_before_it_is_read():
    with pytest.raises(yaml.YAMLError, match=r"line \d+: stands for more than 1,000,000 values"):
        yaml_limits.check(_BOMB)


def test_an_alias_within_what_it_repeats_is_refused():
    with pytest.raises(yaml.YAMLError, match="the alias x stands within what it repeats"):
        yaml_limits.check("a: &x {b: *x}")


@pytest.mark.parametrize("depth", [101, 3000])
def test_deep_nesting_is_refused(depth):
    with pytest.raises(yaml.YAMLError, match="is nested more than 100 deep"):
        yaml_limits.check("[" * depth + "]" * depth)


def test_what_people_write_passes():
    yaml_limits.check("[" * 100 + "]" * 100)
    yaml_limits.check("base: &x {a: 1}\nother: {<<: *x, b: [*x, *x]}\n---\nc: 2\n")
