"""AdamW for embeddings and norms, Muon for the matrices inside the layers.

Muon orthogonalises the momentum of a matrix with a quintic Newton-Schulz iteration. It learns rarely seen facts from
fewer mentions than AdamW does, which is what the large base model is for.
"""

import torch


def orthogonalised(g: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """An approximation of U V^T where g = U S V^T; g may be a stack of matrices."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = g.shape[-2] > g.shape[-1]
    x = (g.mT if wide else g).to(torch.bfloat16)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if wide else x).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr: float, momentum: float = 0.95, decay: float = 0.01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes: dict = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, weights in shapes.items():
                updates = []
                for p in weights:
                    state = self.state[p]
                    m = state.setdefault("momentum", torch.zeros_like(p))
                    m.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(m, group["momentum"]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(weights, orthogonalised(torch.stack(updates))):
                    p.mul_(1 - group["lr"] * group["decay"])
                    p.add_(update, alpha=-group["lr"] * scale)
