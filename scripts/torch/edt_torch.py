"""EDT in plain PyTorch: what a careful user of PyTorch would write, to be timed beside `edt` on one GPU.

The parameters have the published names, so --golden checks it against the golden values of the tests.
Needs torch; h5py for --golden.
"""
import argparse
import json
import math
import random
import statistics
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

PRESETS = {
    "S": dict(depths=[2, 2, 2, 3, 3], widths=[312, 416, 520, 416, 312], heads=[6, 8, 10, 8, 6]),
    "B": dict(depths=[2, 2, 2, 3, 3], widths=[624, 832, 1040, 832, 624], heads=[12, 16, 20, 16, 12]),
    "XL": dict(depths=[6, 4, 4, 7, 7], widths=[936, 1248, 1560, 1248, 936],
               heads=[18, 24, 30, 24, 18], mid_mask=True),
}


def positions(width, grid):
    """Sine and cosine of column and row, [grid * grid, width]."""
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angle = torch.arange(grid, dtype=torch.float64)[:, None] * frequency
    line = torch.cat([angle.sin(), angle.cos()], 1)
    rows, columns = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    return torch.cat([line[columns.flatten()], line[rows.flatten()]], 1).float()


def modulate(x, shift, scale):
    return x * (1 + scale[:, None]) + shift[:, None]


def norm(x):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


class Modulation(nn.Sequential):
    def __init__(self, condition, out):
        super().__init__(nn.SiLU(), nn.Linear(condition, out))


class Bias(nn.Module):
    def __init__(self, heads, grid):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * grid - 1) ** 2, heads))
        y, x = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
        y, x = y.flatten(), x.flatten()
        index = (y[:, None] - y + grid - 1) * (2 * grid - 1) + x[:, None] - x + grid - 1
        self.register_buffer("index", index, persistent=False)

    def forward(self):
        return self.relative_position_bias_table[self.index].permute(2, 0, 1)


class Attention(nn.Module):
    def __init__(self, width, heads, grid):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_bias = Bias(heads, grid)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.rel_pos_bias()[None].to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(out.transpose(1, 2).reshape(b, t, c))


class Mlp(nn.Module):
    def __init__(self, width, ratio=4):
        super().__init__()
        self.fc1 = nn.Linear(width, ratio * width)
        self.fc2 = nn.Linear(ratio * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    def __init__(self, width, heads, grid, condition):
        super().__init__()
        self.attn = Attention(width, heads, grid)
        self.mlp = Mlp(width)
        self.adaLN_modulation = Modulation(condition, 6 * width)

    def forward(self, x, c):
        m = self.adaLN_modulation(c).chunk(6, 1)
        x = x + m[2][:, None] * self.attn(modulate(norm(x), m[0], m[1]))
        return x + m[5][:, None] * self.mlp(modulate(norm(x), m[3], m[4]))


class Down(nn.Module):
    def __init__(self, width, out, grid, condition):
        super().__init__()
        self.grid = grid
        self.reduction = nn.Linear(4 * width, out, bias=False)
        self.adaLN_modulation = Modulation(condition, 8 * width)
        self.register_buffer("pos_embed", positions(out, grid // 2)[None], persistent=False)

    def forward(self, x, c, keep=None):
        b, t, w = x.shape
        g = self.grid // 2
        parts = x.view(b, g, 2, g, 2, w)
        x = torch.cat([parts[:, :, i, :, j] for j in (0, 1) for i in (0, 1)], -1).view(b, g * g, 4 * w)
        x = modulate(norm(x), *self.adaLN_modulation(c).chunk(2, 1))
        if keep is not None:
            mask = keep.view(b, g, 2, g, 2)
            mask = torch.stack([mask[:, :, i, :, j] for j in (0, 1) for i in (0, 1)], -1)
            x = (x.view(b, g * g, 4, w) * mask.view(b, g * g, 4, 1)).view(b, g * g, 4 * w)
        return self.reduction(x) + self.pos_embed


class Up(nn.Module):
    def __init__(self, width, out, grid):
        super().__init__()
        self.grid = grid
        self.expand = nn.Linear(width, 4 * out, bias=False)

    def forward(self, x):
        b, g = len(x), self.grid
        x = self.expand(x).view(b, g, g, 2, 2, -1)
        return x.transpose(2, 3).reshape(b, 4 * g * g, -1)


class Concat(nn.Module):
    def __init__(self, width, grid, condition):
        super().__init__()
        self.cat = nn.Linear(2 * width, width)
        self.adaLN_modulation = Modulation(condition, 4 * width)
        self.register_buffer("pos_embed", positions(width, grid)[None], persistent=False)

    def forward(self, x, skip, c):
        x = norm(torch.cat([x, skip], -1))
        return self.cat(modulate(x, *self.adaLN_modulation(c).chunk(2, 1))) + self.pos_embed


class Final(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = Modulation(width, 2 * width)

    def forward(self, x, c):
        return self.linear(modulate(norm(x), *self.adaLN_modulation(c).chunk(2, 1)))


class Timestep(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t):
        frequency = torch.exp(-math.log(10000) * torch.arange(128, device=t.device) / 128)
        angle = t[:, None].float() * frequency
        return self.mlp(torch.cat([angle.cos(), angle.sin()], 1))


class Label(nn.Module):
    def __init__(self, classes, width):
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)

    def forward(self, labels):
        return self.embedding_table(labels)


class Patches(nn.Module):
    def __init__(self, width, patch, channels):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, image):
        return self.proj(image).flatten(2).transpose(1, 2)


class Edt(nn.Module):
    def __init__(self, depths, widths, heads, input_size=32, patch=2, channels=4, classes=1000,
                 mid_mask=False):
        super().__init__()
        self.depths, self.patch, self.channels, self.mid_mask = depths, patch, channels, mid_mask
        self.down_stages = len(depths) // 2
        grid, c = input_size // patch, widths[0]
        self.side = grid
        grids = [grid >> min(s, len(depths) - 1 - s) for s in range(len(depths))]
        self.x_embedder = Patches(c, patch, channels)
        self.t_embedder, self.y_embedder = Timestep(c), Label(classes, c)
        self.register_buffer("pos_embed", positions(c, grid)[None], persistent=False)
        stages = range(len(depths))
        self.blocks = nn.ModuleList(
            Block(widths[s], heads[s], grids[s], c) for s in stages for _ in range(depths[s]))
        n = self.down_stages
        self.down_blocks = nn.ModuleList(
            Down(widths[s], widths[s + 1], grids[s], c) for s in range(n))
        self.up_blocks = nn.ModuleList(
            Up(widths[s - 1], widths[s], grids[s - 1]) for s in stages[n + 1:])
        self.concat_blocks = nn.ModuleList(Concat(widths[s], grids[s], c) for s in stages[n + 1:])
        self.final_layer = Final(c, patch * patch * 2 * channels)
        for module in [*self.blocks, self.final_layer]:
            nn.init.zeros_(module.adaLN_modulation[1].weight)
            nn.init.zeros_(module.adaLN_modulation[1].bias)

    def forward(self, image, t, labels, masks=None):
        """masks: {"down0": [B, T0], "down1": [B, T1], "mid": [B, T0]}, 1 keeps; None: no masks."""
        c = self.t_embedder(t) + self.y_embedder(labels)
        x = self.x_embedder(image) + self.pos_embed
        skips, block = [], 0
        for stage, depth in enumerate(self.depths):
            if stage < self.down_stages:
                skips.append(x)
            if stage > self.down_stages:
                i = stage - self.down_stages - 1
                x = self.concat_blocks[i](self.up_blocks[i](x), skips.pop(), c)
            for _ in range(depth):
                if block == 4 and self.mid_mask and masks is not None:
                    keep = masks["mid"][..., None]
                    x = x * keep + (1 - keep) * self.pos_embed
                x = self.blocks[block](x, c)
                block += 1
            if stage < self.down_stages:
                x = self.down_blocks[stage](x, c, None if masks is None else masks[f"down{stage}"])
        tokens = self.final_layer(x, c)
        b, g, p = len(x), self.side, self.patch
        return tokens.view(b, g, g, p, p, -1).permute(0, 5, 1, 3, 2, 4).reshape(b, -1, g * p, g * p)


def draw_masks(model, batch, device):
    """One ratio for each mask, Bernoulli tokens, as published."""
    tokens = model.side ** 2
    masks = {}
    for stage in range(model.down_stages):
        low, high = (0.4, 0.5) if stage == 0 else (0.1, 0.2)
        ratio = random.uniform(low, high)
        masks[f"down{stage}"] = (torch.rand(batch, tokens >> 2 * stage, device=device) > ratio).float()
    ratio = random.uniform(0.15, 0.25)
    masks["mid"] = (torch.rand(batch, tokens, device=device) > ratio).float()
    return masks


class Diffusion:
    """1000 linear betas, learned sigma range, Min-SNR-5: the published loss."""

    def __init__(self, device):
        beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
        bar = torch.cumprod(1 - beta, 0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), bar[:-1]])
        variance = beta * (1 - before) / (1 - bar)
        log_variance = torch.log(torch.cat([variance[1:2], variance[1:]]))
        snr = bar / (1 - bar)
        rows = dict(scale=bar.sqrt(), noise=(1 - bar).sqrt(), recip=(1 / bar).sqrt(),
                    recip_m1=(1 / bar - 1).sqrt(), mean1=beta * before.sqrt() / (1 - bar),
                    mean2=(1 - before) * (1 - beta).sqrt() / (1 - bar), low=log_variance,
                    high=torch.log(beta), weight=snr.clamp(max=5) / snr)
        self.rows = {name: row.float().to(device) for name, row in rows.items()}

    def __getitem__(self, key):
        name, t = key
        return self.rows[name][t][:, None, None, None]

    def noised(self, x, noise, t):
        return self["scale", t] * x + self["noise", t] * noise

    def loss(self, out, x, x_t, noise, t):
        epsilon, share = out.float().chunk(2, 1)
        flat = lambda v: v.flatten(1).mean(1)
        mse = self.rows["weight"][t] * flat((epsilon - noise) ** 2)
        true_mean = self["mean1", t] * x + self["mean2", t] * x_t
        origin = self["recip", t] * x_t - self["recip_m1", t] * epsilon.detach()
        mean = self["mean1", t] * origin + self["mean2", t] * x_t
        share = (share + 1) / 2
        log_variance = share * self["high", t] + (1 - share) * self["low", t]
        kl = 0.5 * (log_variance - self["low", t] - 1 + torch.exp(self["low", t] - log_variance)
                    + (true_mean - mean) ** 2 * torch.exp(-log_variance)) / math.log(2)
        nll = -self.log_likelihood(x, mean, 0.5 * log_variance) / math.log(2)
        return mse, torch.where(t == 0, flat(nll), flat(kl))

    @staticmethod
    def log_likelihood(x, mean, log_scale):
        cdf = lambda v: 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v ** 3)))
        inverse = torch.exp(-log_scale)
        plus, minus = cdf(inverse * (x - mean + 1 / 255)), cdf(inverse * (x - mean - 1 / 255))
        floor = lambda v: torch.log(v.clamp(min=1e-12))
        return torch.where(x < -0.999, floor(plus),
                           torch.where(x > 0.999, floor(1 - minus), floor(plus - minus)))


class Adan:
    """Xie et al., arXiv 2208.06677, over lists of tensors, with the moving average behind it."""

    def __init__(self, parameters, rate=1e-3, betas=(0.98, 0.92, 0.99), eps=1e-8, decay=0.9999):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.rate, self.betas, self.eps, self.decay, self.steps = rate, betas, eps, decay, 0
        zeros = lambda: [torch.zeros_like(p) for p in self.parameters]
        self.m, self.v, self.n, self.before = zeros(), zeros(), zeros(), None
        self.average = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def step(self):
        gradients = [p.grad for p in self.parameters]
        each, (b1, b2, b3) = torch, self.betas
        self.steps += 1
        before = self.before if self.before is not None else [g.clone() for g in gradients]
        difference = each._foreach_sub(gradients, before)
        ahead = each._foreach_add(gradients, difference, alpha=b2)
        each._foreach_lerp_(self.m, gradients, 1 - b1)
        each._foreach_lerp_(self.v, difference, 1 - b2)
        each._foreach_mul_(self.n, b3)
        each._foreach_addcmul_(self.n, ahead, ahead, 1 - b3)
        c1, c2, c3 = (1 - b ** self.steps for b in self.betas)
        denominator = each._foreach_sqrt(self.n)
        each._foreach_div_(denominator, math.sqrt(c3))
        each._foreach_add_(denominator, self.eps)
        each._foreach_addcdiv_(self.parameters, self.m, denominator, -self.rate / c1)
        each._foreach_addcdiv_(self.parameters, self.v, denominator, -self.rate * b2 / c2)
        each._foreach_lerp_(self.average, self.parameters, 1 - self.decay)
        self.before = [g.clone() for g in gradients]


def check_golden(path):
    import h5py
    with h5py.File(path) as file:
        a = file.attrs
        model = Edt([int(d) for d in a["stages_depth"]], [int(w) for w in a["dims"]],
                    [int(h) for h in a["num_heads"]], int(a["input_size"]), int(a["patch_size"]),
                    classes=int(a["num_classes"]), mid_mask=bool(a["mid_mask"]))
        names = dict(model.named_parameters())
        tensor = lambda name: torch.from_numpy(file[name][...])
        for name, parameter in names.items():
            parameter.data.copy_(tensor("params/" + name))
        read = lambda name: tensor("inputs/" + name)
        masks = {name: read("mask_keep/" + name).float() for name in file["inputs/mask_keep"]}
        t, x, labels = read("t").long(), read("x_start"), read("labels_after_drop").long()
        diffusion, total = Diffusion("cpu"), 0
        for noise, keep in ((read("noise"), None), (read("noise_masked"), masks)):
            x_t = diffusion.noised(x, noise, t)
            mse, vb = diffusion.loss(model(x_t, t, labels, keep), x, x_t, noise, t)
            total = total + (mse + vb).mean()
        total.backward()
        expected = float(file["expected/total_loss"][()].reshape(-1)[0])
        relative = lambda a, b: float((a - b).abs().max() / b.abs().max())
        worst = max((relative(p.grad, tensor("grads/" + n)), n) for n, p in names.items())
    print(f"loss {total.item():.7g}, expected {expected:.7g}; worst gradient {worst[1]}: {worst[0]:.1e}")
    if abs(total.item() / expected - 1) > 1e-5 or worst[0] > 3e-4:
        raise SystemExit("this is not the published model")


def bench(options):
    device = torch.device(options.device)
    model = Edt(**PRESETS[options.size], input_size=options.input_size).to(device)
    adan, diffusion, batch = Adan(model.parameters()), Diffusion(device), options.batch
    run = torch.compile(model) if options.compile else model
    side = options.input_size
    x = torch.randn(batch, 4, side, side, device=device)
    labels = torch.randint(0, 1000, (batch,), device=device)

    def step():
        t = torch.randint(0, 1000, (batch,), device=device)
        for parameter in model.parameters():
            parameter.grad = None
        total = 0
        for masks in (None, draw_masks(model, batch, device)):
            noise = torch.randn_like(x)
            dropped = torch.where(torch.rand(batch, device=device) < 0.1, 1000, labels)
            x_t = diffusion.noised(x, noise, t)
            with torch.autocast(device.type, torch.bfloat16, enabled=options.dtype == "bf16"):
                out = run(x_t, t, dropped, masks)
            mse, vb = diffusion.loss(out, x, x_t, noise, t)
            total = total + (mse + vb).mean()
        total.backward()
        adan.step()

    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    times = []
    for i in range(options.warm_up + options.steps):
        wait()
        begin = time.perf_counter()
        step()
        wait()
        if i >= options.warm_up:
            times.append(time.perf_counter() - begin)
    median = statistics.median(times)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    print(json.dumps(dict(model=f"EDT-{options.size}/2", torch=torch.__version__, dtype=options.dtype,
                          compile=options.compile, batch=batch, step_seconds=median,
                          images_per_s=batch / median, peak_memory_bytes=memory)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", help="check against this file and end")
    parser.add_argument("--size", choices=PRESETS, default="S")
    parser.add_argument("--batch", type=int, default=128, help="images of a step")
    parser.add_argument("--dtype", choices=["float32", "bf16"], default="bf16")
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--input-size", type=int, default=32)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    check_golden(options.golden) if options.golden else bench(options)


if __name__ == "__main__":
    main()
