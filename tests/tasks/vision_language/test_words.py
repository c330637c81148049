"""Words that are learnt beside adapters, against models whose token tables were changed by hand."""

import pytest
import torch
from torch import nn

from tasks.vision_language.tuned import tune
from tasks.vision_language.tuned_files import load_tuned, save_tuned

from ...modalities.vision_language.small_models import FAMILIES, build
from .tuned_models import SMALL, TASKS, encode, logits_of, tuned_of

LEARNT = ["red", "car"]
KINDS = ["bart", "scaled bart", "t5", "t5 with its own head"]


def model_of(kind):
    """Return a small model; T5 1.1 scores words by another table than it reads them with."""
    vl = build(
        "t5" if "t5" in kind else "bart", **{"scale_embedding": True} if "scaled" in kind else {}
    )
    if "head" in kind:
        own = torch.randn(vl.words.shape, generator=torch.Generator().manual_seed(7))
        vl.model.lm_head.weight = nn.Parameter(own, requires_grad=False)
    return vl


def taught(kind):
    """Return a tuned model that learnt words, and one whose tables were changed to the same."""
    options = SMALL["lora"]
    tuned = tune(model_of(kind), "lora", TASKS, options={**options, "words": LEARNT})
    plain = tune(model_of(kind), "lora", TASKS, options=options)
    with torch.no_grad():
        for change in {id(p): p for p in (tuned.words.read, tuned.words.written)}.values():
            change += torch.randn(change.shape, generator=torch.Generator().manual_seed(2))
        plain.vl.words[tuned.words.ids] += tuned.words.read
        head = plain.vl.model.lm_head.weight
        if head is not plain.vl.words:
            head[tuned.words.ids] += tuned.words.written
    return tuned, plain


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_learnt_words_are_as_rows_of_the_table_wherever_it_is_read(kind):
    tuned, plain = taught(kind)
    assert (tuned.words.read is tuned.words.written) == ("head" not in kind)
    torch.testing.assert_close(logits_of(tuned.vl), logits_of(plain.vl), rtol=1e-4, atol=1e-4)
    written = [one.vl.generate(encode(one.vl), longest=8, beams=2) for one in (tuned, plain)]
    assert torch.equal(*written)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_at_first_nothing_is_learnt_and_the_table_stays(family):
    tuned = tune(build(family), "adapter", TASKS, options={"rank": 8, "words": LEARNT})
    plain = tune(build(family), "adapter", TASKS, options={"rank": 8})
    assert torch.equal(logits_of(tuned.vl), logits_of(plain.vl))
    assert tuned.identity == plain.identity and not tuned.vl.words.requires_grad


@pytest.mark.parametrize(("kind", "tables"), [("bart", 1), ("t5 with its own head", 2)])
def test_each_word_costs_one_row_of_each_table_for_all_tasks(kind, tables):
    counts = [
        tune(model_of(kind), "adapter", TASKS, "multiple", {"words": words}).count()[0]
        for words in ([], LEARNT)
    ]
    assert counts[1] - counts[0] == 32 * len(LEARNT) * tables


def test_words_get_gradients_where_they_are_read_and_where_they_are_written():
    tuned = tune(model_of("t5 with its own head"), "adapter", TASKS, options={"words": LEARNT})
    logits_of(tuned.vl).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in tuned.words.parameters())


@torch.no_grad()
def test_learnt_words_are_saved_once_and_loaded(tmp_path):
    tuned = tuned_of("bart", "adapter", words=LEARNT)
    save_tuned(tuned, tmp_path)
    loaded = load_tuned(build("bart"), tmp_path)
    assert torch.equal(logits_of(loaded.vl), logits_of(tuned.vl))
    assert loaded.count() == tuned.count()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("red", "expected a list of words"),
        ([1], "expected a list of words"),
        (["red", "red"], "'red' twice or empty"),
        (["red", " "], "' ' twice or empty"),
        (["crimson"], "no tokens for 'crimson'"),
    ],
)
def test_words_that_cannot_be_learnt_are_refused(words, said):
    with pytest.raises(ValueError, match=said):
        tune(build("bart"), "adapter", TASKS, options={"words": words})


def test_full_fine_tuning_learns_all_words_already():
    with pytest.raises(ValueError, match="learns all words already"):
        tune(build("bart"), "full", TASKS, options={"words": LEARNT})
