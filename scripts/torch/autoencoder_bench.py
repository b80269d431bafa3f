#!/usr/bin/env python3
"""Pictures per second of diffusers' AutoencoderKL and of edt on this machine: the structure of Stable Diffusion's
autoencoder with random weights, encoding and decoding in float32, decoding in bf16 (by autocast there).

    python3 -m venv venv && venv/bin/pip install torch diffusers safetensors
    venv/bin/python scripts/torch/autoencoder_bench.py --edt build/release/edt

Of each line the fastest of at least two rounds counts, on both sides. Under 10 minutes on 2 cores.
"""
import argparse
import json
import subprocess
import time

import torch
from diffusers import AutoencoderKL

PASSES = ("encode float32", "decode float32", "decode bf16")


def stable_diffusion(options):
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=256,
    ).eval()
    if options.weights:
        from safetensors.torch import load_file

        vae.load_state_dict(load_file(options.weights))
    return vae


def fastest(work, seconds):
    """Seconds of the fastest round, and how many there were."""
    times = []
    begin = time.perf_counter()
    while len(times) < 2 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times), len(times)


class Diffusers:
    def __init__(self, vae, layout, compiled):
        self.layout = torch.channels_last if layout == "channels last" else torch.contiguous_format
        self.vae = vae.to(memory_format=self.layout)
        self.encode, self.decode = self.vae.encode, self.vae.decode
        if compiled:
            self.encode, self.decode = torch.compile(vae.encode), torch.compile(vae.decode)

    def seconds(self, name, side, count, least):
        """Of a picture."""
        picture = (torch.rand(count, 3, side, side) * 2 - 1).to(memory_format=self.layout)
        latent = torch.randn(count, 4, side // 8, side // 8)

        def decode_bf16():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                self.decode(latent)

        work = {
            "encode float32": lambda: self.encode(picture),
            "decode float32": lambda: self.decode(latent),
            "decode bf16": decode_bf16,
        }[name]
        with torch.inference_mode():
            return fastest(work, least)[0] / count


def edt_seconds(options, side, count):
    """Of a picture, and the share of oneDNN's convolutions on the same shapes, for each pass."""
    passes = ",".join(name.replace(" float32", "").replace(" ", "-") for name in options.passes)
    command = [options.edt, "bench", "vae", "--json", "--image-size", str(side), "--pictures", str(count),
               "--passes", passes, "--seconds", str(options.seconds)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {f"{p['pass']} {p['dtype']}": (p["fastest_seconds_per_picture"], p.get("ceiling_ratio", 0))
            for p in result["passes"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--edt", help="the program to compare with; without it diffusers alone")
    parser.add_argument("--sizes", nargs="+", default=["256x1", "256x4", "512x1"], help="SIDExPICTURES, in a batch")
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--layouts", nargs="+", choices=["as it comes", "channels last"],
                        default=["as it comes", "channels last"])
    parser.add_argument("--compile", action="store_true", help="by torch.compile, which takes minutes")
    parser.add_argument("--seconds", type=float, default=0, help="for each line, at least two rounds")
    parser.add_argument("--weights", help="safetensors file under diffusers' names, instead of random ones")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads{', compiled' if options.compile else ''}")
    lines = {}
    for size in options.sizes:
        side, count = (int(n) for n in size.split("x"))
        ours = edt_seconds(options, side, count) if options.edt else {}
        for name in options.passes:
            lines[size, name] = [f"{name:15} {side:4} pixels, batch {count}:"]
            if name in ours:
                lines[size, name] += [f"edt {ours[name][0]:7.3f} s ({ours[name][1]:.2f} of oneDNN)"]
        for layout in options.layouts:
            vae = Diffusers(stable_diffusion(options), layout, options.compile)
            for name in options.passes:
                seconds = vae.seconds(name, side, count, options.seconds)
                ratio = f" ({seconds / ours[name][0]:.2f} x)" if name in ours else ""
                lines[size, name] += [f"diffusers {layout} {seconds:7.3f} s{ratio}"]
        for name in options.passes:
            print("  ".join(lines[size, name]), flush=True)


if __name__ == "__main__":
    main()
