"""Streams that are folded into the samples, "(b s) ... d": how they begin, end and are mapped."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import torch
from torch import Tensor, nn


def unfolded(streams: Tensor, count: int, channel_first: bool) -> Tensor:
    """[b, ..., s, d] of [(b s), ..., d], or of [(b s), d, ...]: a view."""
    apart = streams.unflatten(0, (-1, count))
    return apart.movedim(2, -1).movedim(1, -2) if channel_first else apart.movedim(1, -2)


def folded(apart: Tensor, channel_first: bool) -> Tensor:
    """The other way round."""
    streams = apart.movedim(-2, 1)
    return (streams.movedim(-1, 2) if channel_first else streams).flatten(0, 1)


class ExpandStreams(nn.Module):
    """Each sample `num_streams` times, one after the other."""

    def __init__(self, num_streams: int):
        super().__init__()
        self.num_streams = num_streams

    def forward(self, residuals: Tensor) -> Tensor:
        return residuals.unsqueeze(1).expand(-1, self.num_streams, *residuals.shape[1:]).flatten(0, 1)

    def extra_repr(self) -> str:
        return f"{self.num_streams}"


class ReduceStreams(nn.Module):
    """The sum of a sample's streams."""

    def __init__(self, num_streams: int):
        super().__init__()
        self.num_streams = num_streams

    def forward(self, residuals: Tensor) -> Tensor:
        return residuals.unflatten(0, (-1, self.num_streams)).sum(1)

    def extra_repr(self) -> str:
        return f"{self.num_streams}"


class StreamEmbed(nn.Module):
    """Adds a learned vector to each stream; with `expand_to_streams` of one stream makes all first."""

    def __init__(self, num_streams: int, dim: int, channel_first: bool = False, expand_to_streams: bool = False):
        super().__init__()
        self.channel_first = channel_first
        self.num_streams = num_streams
        self.expand_to_streams = expand_to_streams
        self.stream_embed = nn.Parameter(torch.zeros(num_streams, dim))

    def forward(self, residuals: Tensor) -> Tensor:
        if self.expand_to_streams:
            apart = residuals.unsqueeze(1)
        else:
            apart = residuals.unflatten(0, (-1, self.num_streams))
        places = (1,) * (residuals.dim() - 2)
        shape = (self.num_streams, -1, *places) if self.channel_first else (self.num_streams, *places, -1)
        return (apart + self.stream_embed.view(shape)).flatten(0, 1)


class AttentionPoolReduceStream(nn.Module):
    """A sum over the streams in each feature, weighted by a softmax of what a matrix makes of them."""

    def __init__(self, num_streams: int, dim: int, channel_first: bool = False):
        super().__init__()
        self.num_streams = num_streams
        self.channel_first = channel_first
        self.to_attn_logits = nn.Linear(dim, dim, bias=False)
        self.to_attn_logits.weight.data.copy_(torch.eye(dim))

    def forward(self, residuals: Tensor) -> Tensor:
        apart = unfolded(residuals, self.num_streams, self.channel_first)
        attn = self.to_attn_logits(apart).softmax(dim=-2)
        pooled = (apart * attn).sum(-2)
        return pooled.movedim(-1, 1) if self.channel_first else pooled


def get_expand_reduce_stream_functions(num_streams: int, add_stream_embed: bool = False, dim: Optional[int] = None,
                                       disable: bool = False) -> tuple[nn.Module, nn.Module]:
    """Modules that make streams and that sum them up."""
    if disable:
        return nn.Identity(), nn.Identity()
    expand: nn.Module = ExpandStreams(num_streams)
    if add_stream_embed:
        assert dim is not None, ('`dim` must be passed into get_init_and_expand_reduce_stream_functions for returning '
                                 'an expansion function with stream embeddings added')
        expand = StreamEmbed(num_streams, dim, expand_to_streams=True)
    return expand, ReduceStreams(num_streams)


def initial_functions(site: type[nn.Module], plain: type[nn.Module], num_streams: int, disable: Optional[bool],
                      dim: Optional[int], ends: tuple[nn.Module, nn.Module], **kwargs: Any) -> tuple[Any, ...]:
    """What makes sites, and the two ends of the streams."""
    make = partial(plain if disable else site, num_streams, **kwargs)
    if dim is not None:
        make = partial(make, dim=dim)
    return (make, *ends)
