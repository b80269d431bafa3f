#!/usr/bin/env python3
"""Encodes and decodes pictures by edt and by diffusers' AutoencoderKL with the same weights, and says how far they are
apart: latents and pictures, relative to their norm, and the bytes of the pictures.

    python3 -m venv venv && venv/bin/pip install torch diffusers safetensors pillow
    venv/bin/python scripts/torch/autoencoder_agreement.py --edt build/release/edt [--vae FOLDER] [PNG ...]

FOLDER is one as diffusers saves it; without it, the structure of Stable Diffusion's autoencoder with random weights.
PNGs have sides that are multiples of 8; without any, two are drawn. Exit status 1 where float32 rounding does not
explain the distance.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file

ROUNDING = 1e-5  # of the norm, between two honest float32 implementations
OF_BYTES = 5e-3  # that may differ by one: values next to a step


def drawn(folder):
    """Two pictures of 128 x 96 pixels: waves, and blocks of noise."""
    y, x = numpy.mgrid[0:96, 0:128]
    waves = numpy.stack([127.5 + 127.5 * numpy.sin(x / (5 + 3 * c) + y / (9 - 2 * c)) for c in range(3)], -1)
    blocks = numpy.random.default_rng(1).integers(0, 256, (12, 16, 3)).repeat(8, 0).repeat(8, 1)
    paths = []
    for name, values in (("waves", waves), ("blocks", blocks)):
        paths.append(folder / f"{name}.png")
        Image.fromarray(values.astype(numpy.uint8)).save(paths[-1])
    return paths


def distance(ours, theirs):
    return float((ours - theirs).norm() / theirs.norm())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--edt", required=True)
    parser.add_argument("--vae", help="folder of the weights")
    parser.add_argument("pictures", nargs="*", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not options.vae:
            torch.manual_seed(0)
            options.vae = folder / "vae"
            AutoencoderKL(block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
                          up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4,
                          norm_num_groups=32).save_pretrained(options.vae)
        vae = AutoencoderKL.from_pretrained(options.vae).eval()
        scale = vae.config.scaling_factor
        worst = {"latents": 0.0, "pictures": 0.0, "bytes": 0.0}
        for path in options.pictures or drawn(folder):
            latents, pictures = folder / "latents.safetensors", folder / "pictures"
            for command in (["encode", path, "--out", latents], ["decode", latents, "--out-dir", pictures]):
                subprocess.run([options.edt, "vae", *map(str, command), "--vae", str(options.vae)], check=True,
                               stdout=subprocess.DEVNULL)
            pixels = torch.from_numpy(numpy.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1)
            with torch.inference_mode():
                theirs = vae.encode((pixels[None] / 255 - 0.5) / 0.5).latent_dist.mode() * scale
                ours = load_file(latents)["latents"]
                decoded = vae.decode(ours / scale).sample[0]
            expected = (127.5 * decoded + 128).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
            made = numpy.asarray(Image.open(pictures / "000000.png"))
            apart = numpy.abs(made.astype(int) - expected)
            found = {"latents": distance(ours, theirs), "pictures": float(apart.max()), "bytes": float((apart > 0).mean())}
            print(f"{path}: latents {found['latents']:.1e} apart, bytes by {apart.max()} at most, "
                  f"{100 * found['bytes']:.3f} % of them differ")
            worst = {key: max(value, found[key]) for key, value in worst.items()}
            (pictures / "000000.png").unlink()
    ok = worst["latents"] <= ROUNDING and worst["pictures"] <= 1 and worst["bytes"] <= OF_BYTES
    print("float32 rounding" if ok else "more than float32 rounding")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
