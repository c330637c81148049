"""Options that cannot be are told by name, whatever the method."""

import pytest

from fusion.adapters.interface import Adapters, attach

WRONG_OPTIONS = [
    ("convpass", {"mode": "beside"}, "Option 'mode' is 'beside'; known: sequential, parallel"),
    ("convpass", {"grid": (3,)}, r"Option 'grid' is \(3,\); expected a height and a width"),
    ("convpass", {"special_tokens": 2}, "Option 'special_tokens' is 2 .* expected 0 or more with"),
    ("conformer", {"mode": "beside"}, "Option 'mode' is 'beside'; known: sequential, parallel"),
    ("conformer", {"kernel": 0}, "Option 'kernel' is 0; expected 1 or more tokens"),
    ("compacter", {"rank": 6}, "are 6 and 4; expected a rank of 1 or more that is a multiple"),
    ("compacter", {"rank": 10, "terms": 5}, "has 32 features; expected a multiple .* which is 5"),
    ("compacter", {"factor_rank": -1}, "Option 'factor_rank' is -1; expected 1 or more, or 0"),
    ("compacter", {"activation": "no"}, "Option 'activation' is 'no'; known: relu"),
    ("hyperformer", {"activation": "no"}, "Option 'activation' is 'no'; known: relu"),
    ("hyperformer", {"tasks": 0}, "Option 'tasks' is 0; expected 1 or more"),
]


@pytest.mark.parametrize(("method", "options", "message"), WRONG_OPTIONS)
def test_wrong_options_are_told(build, method, options, message):
    model = build("ast")
    with pytest.raises(ValueError, match=message):
        attach(model, method, options)
    assert Adapters(model).names == []


def test_bad_options_are_named(build):
    model = build("ast")
    for name in ("prefix", "shallow_prompts", "deep_prompts", "gated_prompts", "prefix_prompts"):
        with pytest.raises(ValueError, match="'tokens' is 0; expected 1 or more"):
            attach(model, name, {"tokens": 0})
    with pytest.raises(ValueError, match="'reduction' is 0"):
        attach(model, "invertible", {"reduction": 0})
    with pytest.raises(ValueError, match="known: relu"):
        attach(model, "invertible", {"activation": "swish"})
    with pytest.raises(ValueError, match="fits none of the"):
        attach(model, "invertible", where=("mlp",))


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("bias_scale", {"form": "both"}, "known: input, output"),
        ("bitfit", {"rank": 2}, "has no option 'rank'; known: none"),
        ("sparse_tuning", {"entries": -1}, "expected 0 for all"),
    ],
)
def test_bad_options_are_refused(method, options, message, two_layers):
    with pytest.raises(ValueError, match=message):
        attach(two_layers(), method, options, ("1",))
