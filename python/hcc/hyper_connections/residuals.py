"""Other sums of a branch's result and a residual, compiled; each is also a `depth_residual_fn`."""

from __future__ import annotations

from typing import Any, Mapping

import torch
from torch import Tensor, nn

from . import _parts


class CompiledResidual(nn.Module):
    """A sum that is a connection of one stream in texts/residuals.hc."""

    def _connection(self, residual: Tensor) -> _parts.Connection:
        raise NotImplementedError

    def _named(self) -> Mapping[str, Tensor]:
        return {}

    def _write(self, x: Tensor, residual: Tensor) -> Tensor:
        x, residual = torch.broadcast_tensors(x, residual)
        connection = self._connection(residual)
        made = _parts.primitive((connection,), given=("h", "y"), results=("h",), precision=_parts.precision(residual))
        values = {"h": self._rows(residual, connection), "y": self._rows(x, connection)}
        return _parts.run(made, values, self._named())["h"].reshape(residual.shape)

    def _rows(self, x: Tensor, connection: _parts.Connection) -> Tensor:
        """Vectors, one after the other; or, where positions belong together, all of a sample's in one."""
        rows = x.reshape(-1, connection.width)
        return rows.unsqueeze(0) if connection.by_position else rows


class GRUGatedResidual(CompiledResidual):
    """A gated recurrent unit whose state is the residual and whose input the branch's result."""

    def __init__(self, dim: int):
        super().__init__()
        self.gru = nn.GRUCell(dim, dim)

    def _connection(self, residual: Tensor) -> _parts.Connection:
        return _parts.Connection("residuals", "gru", _parts.size(residual, -1), apart=False)

    def _named(self) -> Mapping[str, Tensor]:
        return dict(self.gru.named_parameters())

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self._write(x, residual)


class GatedResidual(CompiledResidual):
    """A mixture of both: one learned weight a position, or with `fine_gate` one a feature."""

    def __init__(self, dim: int, fine_gate: bool = False):
        super().__init__()
        self.to_learned_mix = nn.Linear(dim * 2, dim if fine_gate else 1)

    def _connection(self, residual: Tensor) -> _parts.Connection:
        return _parts.Connection("residuals", f"gated(gates = {self.to_learned_mix.out_features})", _parts.size(residual, -1),
                                 apart=False)

    def _named(self) -> Mapping[str, Tensor]:
        return dict(self.to_learned_mix.named_parameters())

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self._write(x, residual)


class OrthogonalResidualUpdate(CompiledResidual):
    """Adds only what of the branch's result is at right angles to the residual. In double precision,
    as it is unless told otherwise, the result is a double tensor, whatever came in: the package's is."""

    def __init__(self, double_precision: bool = True):
        super().__init__()
        self.double_precision = double_precision

    def _connection(self, residual: Tensor) -> _parts.Connection:
        return _parts.Connection("residuals", "orthogonal", _parts.size(residual, -1), apart=False)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        if self.double_precision:
            x, residual = x.double(), residual.double()
        return self._write(x, residual)


class MVSplitResidualUpdate(CompiledResidual):
    """Adds the branch's result with its mean over the positions apart."""

    def __init__(self, dim: int, init_alpha: float = 0., init_beta: float = 0.03, **kwargs: Any):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(dim) * init_alpha)
        self.beta = nn.Parameter(torch.ones(dim) * init_beta)

    def prepare(self, residual: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
        return residual, residual, dict()

    def _connection(self, residual: Tensor) -> _parts.Connection:
        places, dim = _parts.size(residual, -2), _parts.size(residual, -1)
        return _parts.Connection("residuals", f"mean_apart(places = {places})", places * dim, by_position=False,
                                 apart=False)

    def _named(self) -> Mapping[str, Tensor]:
        return {"alpha": self.alpha, "beta": self.beta}

    def forward(self, x: Tensor, residual: Tensor, **kwargs: Any) -> Tensor:
        return self._write(x, residual)
