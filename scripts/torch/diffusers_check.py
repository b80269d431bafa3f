"""DiT between `edt` and the diffusers library: its loader on what `edt ckpt export --names diffusers` writes.

    diffusers_check.py --edt build/release/edt --checkpoint RUN     exports, loads, compares four steps of DDIM
    diffusers_check.py --make tests/golden/diffusers                the values that the tests compare with

Needs torch and diffusers; --edt also h5py. RUN is a run of a DiT, best one that has trained.

diffusers spaces the frequencies of its timestep features as 10000^(-i/127), DiT and edt as 10000^(-i/128). The
comparison is made with the latter set in the loaded model; by how much outputs differ without it is printed.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import torch
from diffusers import DiTTransformer2DModel


def set_published_frequencies(model):
    for block in model.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0


def predict(model, x, t, labels):
    with torch.no_grad():
        return model(x, timestep=t, class_labels=labels).sample


def make(directory):
    from safetensors.torch import save_file
    torch.manual_seed(7)
    model = DiTTransformer2DModel(num_attention_heads=2, attention_head_dim=4, in_channels=4, out_channels=8,
                                  num_layers=2, sample_size=8, patch_size=2, num_embeds_ada_norm=3,
                                  norm_eps=1e-6).eval()
    state = model.state_dict()
    first = "transformer_blocks.0.norm1.emb."
    for name, value in state.items():
        value.copy_(torch.randn_like(value) * (0.3 if value.dim() > 1 else 0.1))
    for name in [n for n in state if n.startswith(first)]:
        state[name.replace("blocks.0", "blocks.1")].copy_(state[name])  # DiT has one embedding for all blocks
    model.load_state_dict(state)
    directory.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(directory)
    x, t, labels = torch.randn(2, 4, 8, 8), torch.tensor([17, 803]), torch.tensor([1, 3])
    set_published_frequencies(model)
    output = predict(model, x, t, labels)
    save_file({"x": x, "t": t.float(), "labels": labels.int(), "output": output.contiguous()},
              directory / "prediction.safetensors")
    print(f"{directory}: {sum(p.stat().st_size for p in directory.iterdir())} bytes")


def alpha_bar(t):
    product = 1.0
    for i in range(t + 1):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * i / 999)
    return product


def check(edt, checkpoint):
    import h5py
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        subprocess.run([edt, "ckpt", "export", "--checkpoint", checkpoint, "--names", "diffusers",
                        "--out", scratch / "dit"], check=True)
        model, info = DiTTransformer2DModel.from_pretrained(scratch / "dit", output_loading_info=True)
        assert not any(info.values()), info
        config = model.config
        labels = list(range(min(4, config.num_embeds_ada_norm)))
        x = torch.randn(len(labels), config.in_channels, config.sample_size, config.sample_size)
        with h5py.File(scratch / "z.h5", "w") as file:
            file["z"] = x.numpy()
        subprocess.run([edt, "sample", checkpoint, "--classes", ",".join(map(str, labels)), "--sampler", "ddim",
                        "--steps", "4", "--cfg-scale", "1", "--init-noise", scratch / "z.h5",
                        "--latents", scratch / "x.h5", "--quiet"], check=True)
        with h5py.File(scratch / "x.h5") as file:
            ours, visited = torch.from_numpy(file["latents"][:]), [int(t) for t in file.attrs["timesteps"]]
        differences = {}
        for name in ["the library's frequencies", "the published frequencies"]:
            theirs = ddim(model.eval(), x, sorted(visited, reverse=True), torch.tensor(labels))
            differences[name] = float((ours - theirs).abs().max() / theirs.abs().max())
            set_published_frequencies(model)
        print(json.dumps({"timesteps": visited, "relative difference with": differences}))
        assert differences["the published frequencies"] < 1e-4, differences


def ddim(model, x, timesteps, labels):
    for t, following in zip(timesteps, timesteps[1:] + [None]):
        a, a_next = alpha_bar(t), 1.0 if following is None else alpha_bar(following)
        noise = predict(model, x, torch.full((len(x),), t), labels)[:, :x.shape[1]]
        x0 = (x - math.sqrt(1 - a) * noise) / math.sqrt(a)
        x = math.sqrt(a_next) * x0 + math.sqrt(1 - a_next) * noise
    return x


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", type=pathlib.Path)
    parser.add_argument("--edt", type=pathlib.Path)
    parser.add_argument("--checkpoint", type=pathlib.Path)
    options = parser.parse_args()
    if options.make:
        make(options.make)
    if options.edt:
        check(options.edt.resolve(), options.checkpoint.resolve())


if __name__ == "__main__":
    main()
