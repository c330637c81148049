import pytest
import torch

from fusion.conditions.routing.evaluator import ConditionEvaluator, EvaluatorOptions


def test_it_learns_which_condition_disagrees_with_the_prompt():
    torch.manual_seed(0)
    options = EvaluatorOptions({"map": 4, "vector": 2}, prompt_dim=2, dim=8, hidden=16)
    evaluator = ConditionEvaluator(options)
    adam = torch.optim.Adam(evaluator.parameters(), 0.01)

    def draw() -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        prompt, wrong = torch.randint(2, (64, 2)).float(), torch.rand(64) < 0.5
        vector = torch.where(wrong[:, None], 1 - prompt, prompt)
        told = {"map": torch.randn(64, 1, 2, 2), "vector": vector}
        return told, prompt, torch.stack([torch.zeros(64), -3.0 * wrong], 1)

    for _ in range(200):
        told, prompt, scores = draw()
        adam.zero_grad()
        evaluator.loss(told, prompt, scores).backward()
        adam.step()
    told, prompt, scores = draw()
    with torch.no_grad():
        found = evaluator(told, prompt)
    assert found.shape == (64, 2)
    assert (found - scores).abs().mean() < 0.5


def test_what_does_not_fit_is_refused():
    evaluator = ConditionEvaluator(EvaluatorOptions({"map": 4}, prompt_dim=2))
    with pytest.raises(ValueError, match="map has 3 numbers; expected 4. Known are map"):
        evaluator({"map": torch.ones(1, 3)}, torch.ones(1, 2))
    with pytest.raises(ValueError, match="map has 0 numbers"):
        evaluator({"maps": torch.ones(1, 4)}, torch.ones(1, 2))
    with pytest.raises(ValueError, match="the prompt has 0 numbers; expected 2"):
        evaluator({"map": torch.ones(1, 4)})
    with pytest.raises(ValueError, match="types are {}; expected one or more"):
        EvaluatorOptions({})
