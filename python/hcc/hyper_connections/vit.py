"""A vision transformer whose residuals are manifold-constrained hyper-connections."""

from __future__ import annotations

from typing import Any, Mapping, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

from .mHCv2 import mHC

Size = Union[int, tuple[int, int]]


def pair(t: Size) -> tuple[int, int]:
    return t if isinstance(t, tuple) else (t, t)


class FeedForward(nn.Module):
    """[..., dim]: a norm, a hidden layer and back."""

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.):
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden_dim), nn.GELU(), nn.Dropout(dropout),
                                 nn.Linear(hidden_dim, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class Attention(nn.Module):
    """[b, n, dim]: a norm, and attention of every place to all."""

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64, dropout: float = 0.):
        super().__init__()
        inner = dim_head * heads
        self.heads = heads
        self.scale = dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.to_qkv = nn.Linear(dim, inner * 3, bias=False)
        alone = heads == 1 and dim_head == dim
        self.to_out = nn.Identity() if alone else nn.Sequential(nn.Linear(inner, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.to_qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        rate = self.dropout.p if self.training else 0.
        seen = functional.scaled_dot_product_attention(*parts.unbind(0), dropout_p=rate, scale=self.scale)
        return self.to_out(seen.transpose(1, 2).flatten(-2))


class Transformer(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int, dim_head: int, mlp_dim: int, dropout: float = 0.,
                 num_residual_streams: int = 4, mhc_kwargs: Mapping[str, Any] = dict()):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        make, self.expand_streams, self.reduce_streams = mHC.get_init_and_expand_reduce_stream_functions(
            num_residual_streams, **mhc_kwargs)
        self.layers = nn.ModuleList([
            nn.ModuleList([
                make(dim=dim, branch=Attention(dim, heads=heads, dim_head=dim_head, dropout=dropout)),
                make(dim=dim, branch=FeedForward(dim, mlp_dim, dropout=dropout))
            ]) for _ in range(depth)
        ])

    def forward(self, x: Tensor) -> Tensor:
        x = self.expand_streams(x)
        for attn, ff in self.layers:
            x = ff(attn(x))
        return self.norm(self.reduce_streams(x))


class _Patches(nn.Module):
    """[b, c, h, w] as patches, [b, (h w), (rows columns c)]."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, img: Tensor) -> Tensor:
        cut = img.unflatten(-1, (-1, self.width)).unflatten(-3, (-1, self.height))  # b c h p w q
        return cut.permute(0, 2, 4, 3, 5, 1).flatten(-3).flatten(1, 2)


class ViT(nn.Module):
    """Pictures [b, channels, height, width] to logits [b, num_classes]."""

    def __init__(self, *, image_size: Size, patch_size: Size, num_classes: int, dim: int, depth: int, heads: int,
                 mlp_dim: int, pool: str = 'cls', channels: int = 3, dim_head: int = 64, dropout: float = 0.,
                 emb_dropout: float = 0., num_residual_streams: int = 4,
                 mhc_kwargs: Mapping[str, Any] = dict(num_dynamic_alpha_proposals=1)):
        super().__init__()
        (height, width), (rows, columns) = pair(image_size), pair(patch_size)
        assert height % rows == 0 and width % columns == 0, 'Image dimensions must be divisible by the patch size.'
        assert pool in {'cls', 'mean'}, 'pool type must be either cls (cls token) or mean (mean pooling)'
        patches, patch_dim = (height // rows) * (width // columns), channels * rows * columns
        tokens = int(pool == 'cls')
        self.to_patch_embedding = nn.Sequential(_Patches(rows, columns), nn.LayerNorm(patch_dim),
                                                nn.Linear(patch_dim, dim), nn.LayerNorm(dim))
        self.cls_token = nn.Parameter(torch.randn(tokens, dim))
        self.pos_embedding = nn.Parameter(torch.randn(patches + tokens, dim))
        self.dropout = nn.Dropout(emb_dropout)
        self.transformer = Transformer(dim, depth, heads, dim_head, mlp_dim, dropout, num_residual_streams, mhc_kwargs)
        self.pool = pool
        self.to_latent = nn.Identity()
        self.mlp_head = nn.Linear(dim, num_classes)

    def forward(self, img: Tensor) -> Tensor:
        x = self.to_patch_embedding(img)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)
        x = self.transformer(self.dropout(x + self.pos_embedding[:x.shape[1]]))
        x = x.mean(dim=1) if self.pool == 'mean' else x[:, 0]
        return self.mlp_head(self.to_latent(x))
