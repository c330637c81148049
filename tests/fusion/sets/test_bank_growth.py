"""Growing banks: growth in a stream, beginnings, the pull and retrieval in a bank, files."""

import pytest
import torch
from torch import Tensor, nn

from fusion.routing.bank import Bank, load_bank
from fusion.routing.growth import expert_of
from fusion.routing.presets import attach_preset
from fusion.sets.bank_growth import GrowingBank, load_growing, mean_pull, weights_of
from fusion.sets.growth import retrieve

DIM, OUT, CLIPS = 6, 4, 48


@pytest.fixture
def growing(linear) -> GrowingBank:
    """A bank of one fresh expert, chosen from outside, on a frozen layer."""
    return GrowingBank(attach_preset(linear(), "mos", {"form": "lora", "rank": 2}, ["0"]))


def kind(name: str, clips: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw clips of a kind, and what is to come out: [clips, 6] and [clips, 4]."""
    place = torch.Generator().manual_seed(sum(map(ord, name)))
    centre = 2 * torch.randn(DIM, generator=place)
    truth = torch.randn(DIM, OUT, generator=place) / 2
    chance = torch.Generator().manual_seed(seed)
    clips_read = centre + 0.5 * torch.randn(clips, DIM, generator=chance)
    return clips_read, clips_read @ truth


def error(bank: Bank, name: str, inputs: Tensor, wanted: Tensor) -> Tensor:
    with bank.route(weights=weights_of(bank, [name] * len(inputs))):
        return (bank.model(inputs[:, None])[:, 0] - wanted).square().mean()


def train(bank: Bank, name: str, inputs: Tensor, wanted: Tensor, steps=60, share=0.0) -> None:
    optimiser = torch.optim.Adam(bank.parameters(), 0.05)
    pull = mean_pull(bank, share) if share else None
    for _ in range(steps):
        optimiser.zero_grad()
        error(bank, name, inputs, wanted).backward()
        optimiser.step()
        if pull:
            pull.step()


def meet(growing: GrowingBank, name: str, number: int) -> str:
    """Meet clips of a kind: grow and train where nothing fits. Returns the expert they get."""
    inputs, wanted = kind(name, CLIPS, 100 + number)
    if growing.descriptors and (found := growing.judge(inputs)).known:
        return found.nearest
    growing.grow(f"{name}{number}")
    train(growing.bank, f"{name}{number}", inputs, wanted)
    generator = torch.Generator().manual_seed(0)
    held_out = kind(name, 200, 50 + number)[0]
    growing.learn(inputs, held_out, clips=CLIPS, false_alarms=0.001, generator=generator)
    return f"{name}{number}"


def test_a_bank_grows_exactly_at_the_new_kinds_of_a_stream_and_forgets_nothing(growing):
    bank, best = growing.bank, {}
    found = []
    for number, name in enumerate("ABACBD"):
        expert = meet(growing, name, number)
        found.append(expert)
        clips = kind(name, 64, 200)
        best.setdefault(name, error(bank, expert, *clips).item())
    assert found == ["A0", "B1", "A0", "C3", "B1", "D5"]
    assert bank.options.expert_names == ("A0", "B1", "C3", "D5")
    for name, expert in zip("ABCD", bank.options.expert_names, strict=True):
        clips = kind(name, 64, 200)
        now = error(bank, expert, *clips).item()
        assert now == pytest.approx(best[name], rel=1e-4)  # sums over more experts round apart
        others = [error(bank, other, *clips).item() for other in set(found) - {expert}]
        assert now < 0.5 * min(others)


@pytest.mark.parametrize("start", ["mean", "zeros", "nearest"])
def test_an_expert_begins_from_the_mean_from_nothing_or_from_the_nearest(growing, start):
    bank = growing.bank
    for number, name in enumerate("AB"):
        meet(growing, name, number)
    growing.grow("C", start, "B1")
    a, b, new = (expert_of(bank, number) for number in range(3))
    expected = {"mean": (a["0.up"] + b["0.up"]) / 2, "zeros": 0 * a["0.up"], "nearest": b["0.up"]}
    torch.testing.assert_close(new["0.up"], expected[start], atol=0, rtol=0)
    assert new["0.down"].abs().max() > 0  # zeros that could learn nothing would be no start
    assert not torch.equal(new["0.down"], a["0.down"])


def test_a_bank_runs_without_its_descriptors_and_grows_on_with_them(growing, linear, tmp_path):
    for number, name in enumerate("AB"):
        meet(growing, name, number)
    growing.save(tmp_path)
    again = load_growing(linear(), tmp_path)
    assert again.thresholds == growing.thresholds
    clips = kind("B", CLIPS, 7)
    assert again.judge(clips[0]) == growing.judge(clips[0])
    assert meet(again, "C", 2) == "C2" and again.bank.count() == 0
    for file in tmp_path.glob("descriptors.*"):
        file.unlink()
    alone = load_bank(linear(), tmp_path)
    old, new = (error(bank, "B1", *clips).item() for bank in (growing.bank, alone))
    assert old == new
    with pytest.raises(FileNotFoundError, match="holds no descriptors.json"):
        load_growing(linear(), tmp_path)


def test_blocks_with_banks_of_their_own_grow_by_themselves(build):
    model = build("whisper")
    options = {"rank": 2, "experts": 1}
    banks = [
        attach_preset(model, "sema", options, ["encoder.mlp"], name=f"b{layer}", layers=[layer])
        for layer in (0, 1)
    ]
    banks[1].adapters.use(["b0", "b1"])
    GrowingBank(banks[1], {"0": nn.Identity()}, {"0": 1.0}).grow("rain")  # type: ignore
    assert [bank.options.experts for bank in banks] == [1, 2]
    with torch.no_grad(), banks[0].route() as first, banks[1].route() as second:
        model.encoder(torch.randn(2, 80, 40))
    assert [first.decided[0].weights.shape, second.decided[0].weights.shape] == [(2, 1), (2, 2)]


def test_the_pull_to_the_mean_helps_an_expert_of_few_noisy_clips(linear):
    """Kinds near each other; the third has 6 clips with noise in what is wanted."""
    chance = torch.Generator().manual_seed(0)
    shared = torch.randn(DIM, OUT, generator=chance)
    errors = {0.0: 0.0, 0.1: 0.0}
    for seed in range(2):
        for share in errors:
            chance = torch.Generator().manual_seed(1 + seed)
            growing = GrowingBank(attach_preset(linear(), "mos", {"form": "lora"}, ["0"]))
            truth = shared
            for number in range(3):
                truth = shared + 0.2 * torch.randn(DIM, OUT, generator=chance)
                clips = torch.randn(6 if number == 2 else 60, DIM, generator=chance)
                noise = torch.randn(len(clips), OUT, generator=chance)
                growing.grow(str(number), "mean" if number else "zeros")
                wanted = clips @ truth + noise
                used = share if number == 2 else 0.0
                train(growing.bank, str(number), clips, wanted, share=used)
                growing.learn(clips, clips)
            clips = torch.randn(200, DIM, generator=chance)
            errors[share] += error(growing.bank, "2", clips, clips @ truth).item() / 2
    assert errors[0.1] < 0.7 * errors[0.0]


def test_what_is_pulled_is_the_last_expert_alone(growing):
    meet(growing, "A", 0)
    with pytest.raises(ValueError, match="0 experts of bank 'bank' are trained; expected the last"):
        mean_pull(growing.bank)
    growing.grow("B")
    old = expert_of(growing.bank, 0)
    mean_pull(growing.bank, 1.0).step()
    new = expert_of(growing.bank, 1)
    assert all(torch.equal(tensor, new[name]) for name, tensor in old.items())
    growing.bank.hold(0)
    with pytest.raises(ValueError, match="No expert of bank 'bank' is held, so there is no mean"):
        mean_pull(growing.bank)


def test_what_cannot_be_is_told_in_one_line(growing, linear):
    meet(growing, "A", 0)
    with pytest.raises(ValueError, match="Option 'start' is 'meen'; known: mean, zeros, nearest"):
        growing.grow("B", "meen")
    with pytest.raises(ValueError, match="No set 'rain' to begin with; known: A0"):
        growing.grow("B", "nearest", "rain")
    with pytest.raises(ValueError, match="2 experts, and names for 1: A0, A0"):
        growing.grow("A0")
    with pytest.raises(ValueError, match="No expert 'B'; bank 'bank' has A0"):
        weights_of(growing.bank, ["A0", "B"])
    with pytest.raises(ValueError, match="'kind' is 'gausian'; known: gaussian, autoencoder"):
        growing.learn(torch.randn(4, 2), torch.randn(4, 2), "gausian")
    with pytest.raises(ValueError, match="a descriptor of 'B', and bank 'bank' has experts A0"):
        GrowingBank(growing.bank, {"B": growing.descriptors["A0"]}, {"B": 1.0})
    assert growing.bank.options.experts == 1


def test_retrieval_that_refines_itself_beats_its_guess():
    """Five kinds of two classes; a large nuisance hides them from the frozen layer."""
    tasks, rows, dim = 5, 100, 16
    chance = torch.Generator().manual_seed(1)
    nuisance = 2 * torch.linalg.qr(torch.randn(dim, dim, generator=chance))[0][:4]
    centres = torch.randn(2 * tasks, dim, generator=chance) / 2
    spots = torch.randn(tasks, dim, generator=chance) / 2
    targets = torch.linalg.qr(torch.randn(dim, dim, generator=chance))[0][: 2 * tasks]

    def draw(task: int, count: int) -> tuple[Tensor, Tensor]:
        labels = 2 * task + torch.randint(2, (count,), generator=chance)
        clips = spots[task] + centres[labels]
        clips = clips + torch.randn(count, 4, generator=chance) @ nuisance
        return clips + 0.3 * torch.randn(count, dim, generator=chance), labels

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(dim, dim)).requires_grad_(False)
    growing = GrowingBank(attach_preset(model, "mos", {"form": "lora", "rank": 4}, ["0"]))
    bank, prototypes = growing.bank, torch.zeros(2 * tasks, dim)
    for task in range(tasks):
        clips, labels = draw(task, 24)
        for label in labels.unique():
            prototypes[label] = clips[labels == label].mean(0)
        growing.grow(str(task))
        train(bank, str(task), clips, targets[labels], steps=80)
        growing.learn(clips, clips)
    guessed = refined = 0
    for task in range(tasks):
        clips, labels = draw(task, rows)
        with torch.no_grad():
            named = {
                name: _nearest(bank, clips, targets, name) for name in bank.options.expert_names
            }
        first = torch.cdist(clips, prototypes).argmin(1)
        for row in range(rows):
            answers = {name: int(labels_of[row]) for name, labels_of in named.items()}
            guess = str(int(first[row]) // 2)
            found = retrieve(guess, lambda name, answers=answers: str(answers[name] // 2))
            assert len(found.passes) <= 4
            guessed += answers[guess] == int(labels[row])
            refined += answers[found.name] == int(labels[row])
    assert refined > 1.02 * guessed > 0.3 * tasks * rows


def _nearest(bank: Bank, clips: Tensor, targets: Tensor, name: str) -> Tensor:
    with bank.route(weights=weights_of(bank, [name] * len(clips))):
        return torch.cdist(bank.model(clips[:, None])[:, 0], targets).argmin(1)
