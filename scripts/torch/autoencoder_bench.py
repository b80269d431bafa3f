#!/usr/bin/env python3
"""Pictures per second of diffusers' AutoencoderKL on this machine, for comparison with `edt bench vae`:
the structure of Stable Diffusion's autoencoder with random weights, encoding and decoding in float32,
decoding in bf16 by autocast and as a whole.

    python3 -m venv venv && venv/bin/pip install torch diffusers safetensors
    venv/bin/python scripts/torch/autoencoder_bench.py --image-size 256 512 --pictures 1 4
    edt bench vae
"""
import argparse
import statistics
import time

import torch
from diffusers import AutoencoderKL


def stable_diffusion():
    torch.manual_seed(0)
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=256,
    ).eval()


def median_seconds(work, seconds):
    work()
    times = []
    begin = time.perf_counter()
    while len(times) < 2 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), len(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--image-size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--pictures", type=int, nargs="+", default=[1], help="in a batch")
    parser.add_argument("--seconds", type=float, default=10, help="for each line, at least two rounds")
    parser.add_argument("--channels-last", action="store_true", help="the layout that oneDNN prefers")
    parser.add_argument("--weights", help="safetensors file under diffusers' names, instead of random ones")
    options = parser.parse_args()
    vae = stable_diffusion()
    if options.weights:
        from safetensors.torch import load_file

        vae.load_state_dict(load_file(options.weights))
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    vae = vae.to(memory_format=layout)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {layout}")
    with torch.inference_mode():
        for size in options.image_size:
            for count in options.pictures:
                picture = (torch.rand(count, 3, size, size) * 2 - 1).to(memory_format=layout)
                latent = torch.randn(count, 4, size // 8, size // 8)

                def decode_bf16():
                    with torch.autocast("cpu", dtype=torch.bfloat16):
                        vae.decode(latent)

                for name, work in (
                    ("encode float32", lambda: vae.encode(picture)),
                    ("decode float32", lambda: vae.decode(latent)),
                    ("decode bf16, autocast", decode_bf16),
                ):
                    seconds, rounds = median_seconds(work, options.seconds)
                    print(f"{name:22} {size:4} pixels, batch {count}: {count / seconds:7.3f} pictures/s "
                          f"({rounds} rounds)", flush=True)


if __name__ == "__main__":
    main()
