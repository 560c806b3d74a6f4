"""Adversarial runs: a generator, and with it an encoder or not, against a critic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

import torch
from torch import nn

from gentk.engine import (
    Adversarial,
    Collapse,
    Contest,
    Discrepancy,
    Draws,
    Part,
    Players,
    Turn,
    check_summary,
    summarises,
)
from gentk.errors import Incompatible
from gentk.families import (
    Advance,
    Composition,
    Family,
    LossPart,
    Phase,
    Program,
    Recipe,
    Registry,
    Stateful,
    check_estimator,
    derive,
    labels_of,
    learned_extractors,
    loss_of,
    minibatches,
    penalties,
    samples,
)
from gentk.interfaces import (
    BOUNDS,
    AdversarialLoss,
    Critic,
    Encoder,
    Extractor,
    Generator,
    Loss,
    MatchingLoss,
    Penalty,
    Play,
)
from gentk.prior import Prior

__all__ = ["AdversarialFamily"]

TRIED = 2
"""Samples of a rehearsal."""

UNTRIED = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)
"""What comes of there being no values, or no data, is no fault of a recipe."""


class AdversarialFamily(Family):
    """Turns of the critic, then one of generator and encoder.

    What they play for is a game; or matching losses on features of the critic (a contest), which the
    generator lowers and the critic raises, unless it has a game of its own (`[phase.critic] loss`); or
    a game and, beside it, matching losses on any features, which the generator alone lowers.
    """

    loss: ClassVar[type[Loss]] = AdversarialLoss
    beside: ClassVar[tuple[type[Loss], ...]] = (MatchingLoss,)
    learned: ClassVar[tuple[type[Loss], ...]] = (MatchingLoss,)
    apart = frozenset({"critic"})
    needs = frozenset({"critic"})
    uses = frozenset({"critic", "encoder", "penalty", "labels", "extractor", "estimator"})
    phases: ClassVar[dict[str, tuple[str, ...]]] = {
        "critic": ("critic",),
        "generator": ("generator", "encoder"),
    }

    penalised = frozenset({"critic", "generator"})
    magnifies = True

    def looks_at(self, loss: Loss) -> frozenset[str]:
        """Return what is looked at: features and their statistics by matching losses alone."""
        if isinstance(loss, MatchingLoss):
            return self.uses - {"labels"}
        return self.uses - {"extractor", "estimator"}

    def check(self, r: Recipe, loss: Loss, registry: Registry) -> None:
        """Refuse chunks with terms that are no means, and what wants features that stay the same."""
        parts: list[tuple[str, AdversarialLoss | Penalty]] = []
        if isinstance(loss, AdversarialLoss):
            parts.append((f"loss {r.loss!r}", loss))
        else:
            assert isinstance(loss, MatchingLoss)
            _check_contest(r, loss, registry)
        own = loss_of(r, "critic", registry)
        if isinstance(own, AdversarialLoss):
            parts.append(("the critic's own loss", own))
        for phase in self.penalised:
            built = penalties(r, phase, registry)
            if phase != "critic":
                _check_movable(built)
            parts += [(f"penalty {name!r}", penalty) for name, penalty in built.items()]
        for name, part in parts:
            if not part.means and r.chunk is not None and r.chunk < r.batch:
                raise Incompatible(
                    f"{name} is no mean over samples, so that chunks of a batch do not add up to it; "
                    "type --chunk none"
                )

    def check_all(self, r: Recipe, losses: Sequence[LossPart], registry: Registry) -> None:
        """Refuse a floor, what a critic cannot raise, and a witness that no loss of a turn offers."""
        matching = [part for part in losses if isinstance(part.loss, MatchingLoss)]
        for part in matching:
            if part.options.balance == "floor":
                raise Incompatible(
                    f"loss {part.text!r} divides by a value of the data's features, and those of a "
                    "critic move; write balance=equal"
                )
        raised = len(matching) == len(losses) and loss_of(r, "critic", registry) is None
        if raised:
            _check_raised(matching)
        for phase, seen in (("critic", matching if raised else []), ("generator", matching)):
            if any(one.witnessed for one in penalties(r, phase, registry).values()):
                _check_witness(phase, seen)

    def rehearse(
        self,
        r: Recipe,
        losses: Sequence[LossPart],
        registry: Registry,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse games, penalties and a critic's own summaries that a step would refuse."""
        assert critic is not None
        _rehearse(r, losses, registry, generator, encoder, critic)

    def fit(
        self,
        r: Recipe,
        loss: Loss,
        generator: Generator,
        encoder: Encoder | None,
        critic: Critic | None,
    ) -> None:
        """Refuse an encoder that cannot invert, parts that need one, and classes of one side."""
        assert critic is not None
        if encoder is None:
            if critic.pairs:
                raise Incompatible(
                    f"critic {r.critic!r} judges pairs of images and latents, and there is no encoder; "
                    "type --encoder NAME"
                )
        else:
            _check_reach(encoder, generator.prior, r)
        classes = generator.prior.classes
        if critic.classes and classes != critic.classes:
            raise Incompatible(
                f"critic {r.critic!r} looks at {critic.classes} classes and generator "
                f"{r.generator!r} makes {classes or 'none'}; write classes={critic.classes} in both"
            )

    def program(self, c: Composition, advance: Advance | None) -> Program:
        """Draw minibatches and put the two steps together."""
        r = c.recipe
        assert c.critic is not None
        self.fit(r, c.loss, c.generator, c.encoder, c.critic)
        if c.critic.classes:
            _check_classes(c.critic.classes, c)
        batches = minibatches(c)
        apart = loss_of(r, "critic", c.registry)
        loss = apart or c.loss
        game = loss if isinstance(loss, AdversarialLoss) else None
        if game is not None and game.classes:
            _check_told_apart(game.classes, c)
        step = Adversarial(
            c.generator,
            c.critic,
            game,
            batches,
            c.encoder,
            batch=r.batch,
            chunk=r.chunk,
            dtype=getattr(torch, r.dtype),
            world=c.world,
            seed=derive(r.seed, "game"),
            penalties={
                "critic": penalties(r, "critic", c.registry),
                "generator": penalties(r, "generator", c.registry),
            },
            contests=_contests(c, raised=game is None),
            apart=apart is not None,
            factor=next((p.options.factor for p in c.losses if p.loss is game), 1.0),
        )
        if isinstance(game, nn.Module):
            game.to(c.device)
        step.prepare()
        learners: dict[str, nn.Module] = {"generator": c.generator}
        if c.encoder is not None:
            learners["encoder"] = c.encoder
        critics: dict[str, nn.Module] = {"critic": c.critic}
        for modules, phase in ((critics, "critic"), (learners, "generator")):
            own = None if game is None else game.networks().get(phase)
            if own is not None:
                modules[f"loss-{phase}"] = own.to(c.device)
        phases = [
            Phase("critic", critics, step.critic_step, 0, averaged=False),
            Phase("generator", learners, step.generator_step, r.batch),
        ]
        state: dict[str, Stateful] = {"data": batches, **step.state()}
        return Program(phases, samples(c), state, Collapse())


def _contests(c: Composition, *, raised: bool) -> dict[Turn, Contest]:
    """Return what each turn matches: the generator all, a critic without a game what it moves.

    Args:
        c: The composition.
        raised: Whether the critic raises it.
    """
    if c.space is None:
        return {}
    discrepancies = []
    for part in c.losses:
        if not isinstance(part.loss, MatchingLoss):
            continue
        assert part.estimator is not None
        name = part.name if len(c.losses) > 1 else ""
        discrepancies.append(
            Discrepancy(
                part.loss,
                part.estimator,
                None,
                name=name,
                factor=part.factor,
                extractor=part.extractor,
            )
        )
    contests: dict[Turn, Contest] = {"generator": Contest(c.space, discrepancies)}
    if raised:
        moving = [one for one in discrepancies if set(one.names(c.space)) & set(c.space.learned)]
        contests["critic"] = Contest(c.space, moving, raised=True)
    return contests


def _check_witness(phase: str, losses: Sequence[LossPart]) -> None:
    """Refuse a penalty on the witness function where a turn has none."""
    if not losses:
        raise Incompatible(
            f"a penalty on the witness function is asked for, and no matching loss is played for in the "
            f"steps of {phase}; leave of=witness out, or type --extractor critic with a matching --loss"
        )
    for part in losses:
        if type(part.loss).witness is MatchingLoss.witness:  # type: ignore[attr-defined]
            raise Incompatible(
                f"loss {part.text!r} offers no witness function to penalise; leave of=witness out, or "
                "type another --loss, such as mmd"
            )


def _check_movable(built: Mapping[str, Penalty]) -> None:
    """Refuse penalties on the critic's weights in the steps in which they are constants."""
    for name, penalty in built.items():
        if penalty.twice:
            raise Incompatible(
                f"penalty {name!r} is on the critic's weights, which are constants in the generator's "
                "steps; write it in [phase.critic], or type --penalty"
            )


def _check_raised(losses: Sequence[LossPart]) -> None:
    """Refuse a loss whose gradient is not the slope of its value: there is nothing to raise."""
    for part in losses:
        if part.loss.targets:
            raise Incompatible(
                f"loss {part.text!r} draws to targets that are held constant, so that there is nothing "
                'for a critic to raise; write a loss of its own for it: [phase.critic] loss = "logistic"'
            )


def _check_contest(r: Recipe, loss: MatchingLoss, registry: Registry) -> None:
    """Refuse what wants the features of an image to be the same in every step."""
    text = r.losses[0]
    check_estimator(r, loss, registry, learned=True)
    if loss.preparation:
        raise Incompatible(
            f"loss {text!r} fixes something by the data's features before training, and those of a "
            "critic move; write numbers (bandwidths=1+2+4), leave explicit features out, or leave "
            "layers=each and covariance=layers out"
        )
    if "labels" in loss.needs:
        raise Incompatible(
            f"loss {text!r} goes by classes, and a minibatch of a game need not have all of them; leave "
            "per-class=true out, or type a frozen --extractor"
        )


def _check_reach(encoder: Encoder, prior: Prior, r: Recipe) -> None:
    """Refuse an encoder whose bounded latents can never have the law of the prior."""
    if encoder.code_range is None:
        return
    low, high = BOUNDS[encoder.code_range]
    if low > -prior.reach or high < prior.reach:
        raise Incompatible(
            f"encoder {r.encoder!r} keeps its latents within ({low:g}, {high:g}) and the prior "
            f"{prior.law!r} of generator {r.generator!r} does not: no such encoder inverts it; choose "
            "an output without bounds (--encoder NAME,output=linear) or --generator NAME,prior=uniform"
        )


def _check_classes(classes: int, c: Composition) -> None:
    """Refuse a critic of classes beside data without all their labels."""
    r = c.recipe
    labels = labels_of(c.images, f"critic {r.critic!r}", r.data)
    if int(labels.max()) >= classes:
        raise Incompatible(
            f"{r.data!r} has the label {int(labels.max())} and critic {r.critic!r} looks at classes 0 "
            f"to {classes - 1}; write classes={int(labels.max()) + 1} for critic and generator"
        )


def _check_told_apart(classes: int, c: Composition) -> None:
    """Refuse a loss that tells classes apart beside data that have none, or others; -1 is no label."""
    labels, name = c.images.labels, c.recipe.data
    if labels is None or int(labels.max()) < 0:
        raise Incompatible(
            f"the game tells {classes} classes apart and {name!r} has no labels; add labels=FILE.npy to "
            "the data, one class index per training image, -1 for none"
        )
    if int(labels.max()) >= classes:
        raise Incompatible(
            f"{name!r} has the label {int(labels.max())} and the game tells classes 0 to {classes - 1} "
            f"apart; write classes={int(labels.max()) + 1} in the loss, as many outputs in the critic"
        )


def _rehearse(
    r: Recipe,
    losses: Sequence[LossPart],
    registry: Registry,
    generator: Generator,
    encoder: Encoder | None,
    critic: Critic,
) -> None:
    """Show games, penalties and contests a play each; raise what they refuse.

    Args:
        r: The recipe.
        losses: All its losses, built; of no use afterwards.
        registry: Where names are looked up.
        generator: G.
        encoder: E, if there is one.
        critic: The critic.
    """
    device = next(critic.parameters()).device
    players = Players(
        generator,
        critic,
        encoder,
        have="unit",
        joint=False,
        draws=Draws(0, device),
        dtype=torch.float32,
    )
    x = torch.rand(TRIED, *(encoder or critic).image, device=device)
    classes = critic.classes or generator.prior.classes
    labels = torch.arange(TRIED, device=device) % classes if classes else None
    latents = generator.prior.draw(TRIED, device)
    part = Part(x, labels, latents, slice(0, TRIED), TRIED, 0)
    for turn, step, graphs in _steps(r, losses, registry, critic):
        with suppress(*UNTRIED):
            step(players.play(turn, part, graphs))


def _steps(
    r: Recipe,
    losses: Sequence[LossPart],
    registry: Registry,
    critic: Critic,
) -> Iterator[tuple[Turn, Callable[[Play], object], frozenset[str]]]:
    """Yield what looks at a play: whose turn, what is called, and the sides it differentiates at."""
    own = loss_of(r, "critic", registry)
    played = (own, *(part.loss for part in losses))
    games = [loss for loss in played if isinstance(loss, AdversarialLoss)]
    for game in games[:1]:
        yield "critic", game.prepare, frozenset()
        if isinstance(game, nn.Module):
            game.to(next(critic.parameters()).device)
        yield "critic", game.critic_loss, frozenset()
        if game is not own:
            yield "generator", game.generator_loss, frozenset()
    for phase in AdversarialFamily.penalised:
        turn: Turn = "critic" if phase == "critic" else "generator"
        for penalty in penalties(r, phase, registry).values():
            if not penalty.witnessed:
                yield turn, penalty, penalty.graphs
    if summarises(critic):
        for extractor in learned_extractors(r, registry):
            for each in losses:
                if isinstance(each.loss, MatchingLoss):
                    names = r.extractor if each.options.balance == "none" else ("critic",)
                    yield "critic", _summarised(critic, each.loss, names, extractor), frozenset()


def _summarised(
    critic: Critic, loss: MatchingLoss, names: Sequence[str], extractor: Extractor
) -> Callable[[Play], None]:
    """Return what refuses a critic's own summary of a side where a loss takes no statistics of it."""

    def compared(play: Play) -> None:
        own = critic.summarise_side(play.data)
        if own is not None:
            check_summary(own, critic, loss, names, extractor)
            loss.statistics(own)

    return compared
