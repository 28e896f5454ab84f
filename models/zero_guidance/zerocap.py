"""ZeroCap (Tewel et al. 2022): a language model steered, word by word, towards a vector of CLIP's space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .language import CAPTION_TEMPLATE, Described, TextEncoder, embed_texts
from .language_model import LanguageModel, Past

_TINY = 1e-15


@dataclass(frozen=True)
class Steering:
    """Strengths of ZeroCap; the defaults are those of its authors.

    Args:
        prompt: the sentence to be ended.
        beams: hypotheses kept.
        tokens: length at which an unfinished sentence is cut.
        steps: gradient steps for every token.
        candidates: likeliest next tokens that CLIP judges.
        temperature: of the softmax over CLIP's cosines.
        fluency: weight of the cross-entropy loss that holds the model near its own choice.
        step_size: length of a step.
        norm_power: power of the gradient's norm that a step is divided by.
        own_share: power of the unsteered distribution in the geometric mean with the steered one.
    """

    prompt: str = "Image of a"
    beams: int = 5
    tokens: int = 15
    steps: int = 5
    candidates: int = 512
    temperature: float = 0.01
    fluency: float = 0.2
    step_size: float = 0.3
    norm_power: float = 0.9
    own_share: float = 0.01


class ZeroCap:
    """Describes a vector by the sentence that a steered language model writes.

    For every next token the keys and values of the context are shifted by gradient steps that lower

        L = CE(softmax(cos(target, texts) / temperature), p) + fluency * KL(p || p_unsteered)

    where ``texts`` are the context continued by each of the likeliest tokens and p is the model's next-token
    distribution. Every hypothesis has its own loss and its own gradient. CLIP is never differentiated; texts
    it has embedded are kept, and the five steps of one token mostly ask for the same ones. Of the finished
    beams the one is taken whose text, in its template, is nearest to the target.

    Args:
        encoder: CLIP's text half.
        model: the language model.
        steering: strengths.
        template: sentence in which results are embedded.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        model: LanguageModel,
        steering: Steering | None = None,
        template: str = CAPTION_TEMPLATE,
    ) -> None:
        self._encoder, self._model, self._template = encoder, model, template
        self._steering = steering or Steering()
        self.id = f"zerocap-{model.id}"
        self.weights: Mapping[str, str] = {"language_model": model.sha256}

    def __call__(self, embeddings: Tensor) -> list[Described]:
        return [self._describe(target) for target in embeddings]

    def _describe(self, target: Tensor) -> Described:
        texts = [plain(text) for text in self.beams(target)]
        texts = [text for text in texts if text] or [""]
        embedded = embed_texts(self._encoder, [text or " " for text in texts], self._template)
        best = int((embedded @ target.to(embedded)).argmax())
        return Described(texts[best], embedded[best])

    def beams(self, target: Tensor) -> list[str]:
        """Return the beams' texts after the prompt, the likeliest per token first."""
        model, steering = self._model, self._steering
        context = model.encode(steering.prompt)[None]
        start = context.shape[1]
        scores, lengths = torch.zeros(1), torch.ones(1)
        stopped = torch.zeros(1, dtype=torch.bool)
        for position in range(steering.tokens):
            logs = self.next_probabilities(context, target, position).log().cpu()
            logs[stopped] = -torch.inf
            logs[stopped, 0] = 0  # a finished beam is carried on by one token that costs nothing
            if position:
                lengths = lengths + (~stopped).float()
            means = (scores[:, None] + logs) / lengths[:, None]
            best, flat = means.flatten().topk(steering.beams)
            source, token = flat // logs.shape[1], flat % logs.shape[1]
            lengths, stopped = lengths[source], stopped[source] | (token == model.end_token)
            context = torch.cat([context[source.to(context.device)], token[:, None].to(context)], dim=1)
            scores = best * lengths
            if bool(stopped.all()):
                break
        order = (scores / lengths).argsort(descending=True).tolist()
        return [model.decode(context[beam, start : start + int(lengths[beam])]) for beam in order]

    def next_probabilities(self, context: Tensor, target: Tensor, position: int) -> Tensor:
        """Return the steered distribution of the next token of (B, n) contexts, (B, V)."""
        model, steering = self._model, self._steering
        own = model.logits(context).softmax(dim=-1)
        past = self.steered(context, own, target)
        logits = model.adjusted(model.continued(context[:, -1:], past), position)
        mixed = logits.softmax(dim=-1) ** (1 - steering.own_share) * own**steering.own_share
        return mixed / mixed.sum(dim=-1, keepdim=True)

    def steered(self, context: Tensor, own: Tensor, target: Tensor) -> Past:
        """Return the context's keys and values after the gradient steps.

        Args:
            context: (B, n) tokens, n >= 2; those before the last have keys and values.
            own: (B, V) the unsteered distribution.
            target: (E,) unit vector.
        """
        past = self._model.past(context[:, :-1])
        shift = [torch.zeros_like(part) for part in past]
        for _ in range(self._steering.steps):
            shift = [part.detach().requires_grad_(True) for part in shift]
            with torch.enable_grad():
                moved = [base + delta for base, delta in zip(past, shift, strict=True)]
                logits = self._model.continued(context[:, -1:], moved)
                loss = self.losses(logits, own, context, target).sum()
            gradients = torch.autograd.grad(loss, shift)
            shift = [part.detach() + self._step(g) for part, g in zip(shift, gradients, strict=True)]
        return [base + delta for base, delta in zip(past, shift, strict=True)]

    def losses(self, logits: Tensor, own: Tensor, context: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every beam, (B,)."""
        logs = logits.log_softmax(dim=-1)
        count = min(self._steering.candidates, logs.shape[1])
        top = logs.detach().topk(count, dim=-1).indices
        wanted = self._wanted(context, top, target).to(logs)
        clip_loss = -(wanted * logs.gather(1, top)).sum(dim=-1)
        fluency = (logs.exp() * (logs - own.clamp_min(_TINY).log())).sum(dim=-1)
        return clip_loss + self._steering.fluency * fluency

    @torch.no_grad()
    def _wanted(self, context: Tensor, top: Tensor, target: Tensor) -> Tensor:
        """Return CLIP's distribution over the candidates, (B, K)."""
        prefixes = [self._model.decode(tokens) for tokens in context]
        texts = [
            prefix + self._model.token_text(int(token))
            for prefix, row in zip(prefixes, top, strict=True)
            for token in row
        ]
        cosines = embed_texts(self._encoder, texts) @ target.to(top.device)
        return (cosines.view(top.shape) / self._steering.temperature).softmax(dim=-1)

    def _step(self, gradient: Tensor) -> Tensor:
        """Scale a (B, ...) gradient to a step down, beam by beam."""
        norms = gradient.flatten(1).norm(dim=1) + _TINY
        scale = norms**self._steering.norm_power
        return -self._steering.step_size * gradient / scale.view(-1, *[1] * (gradient.ndim - 1))


def plain(text: str) -> str:
    """Return a beam as a label: lower case, without the final stop and without spaces around."""
    return " ".join(text.lower().replace(".", " ").split())
