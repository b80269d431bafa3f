#!/usr/bin/env python3
"""The values of tests/golden/vae/dc_ae_*: small AutoencoderDC of the diffusers library with random
weights (exact in float16), both ways of changing the size, on the CPU in float32.

    scripts/torch/dc_ae_golden.py tests/golden/vae        needs torch, diffusers, safetensors, h5py
"""
import pathlib
import sys

import diffusers
import h5py
import numpy as np
import torch
from diffusers import AutoencoderDC
from safetensors.torch import save_file

BLOCKS = ("ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock")
SCALES = ((), (), (5,), (5,))
COMMON = dict(
    latent_channels=4, attention_head_dim=8, scaling_factor=0.41407,
    encoder_block_types=BLOCKS, decoder_block_types=BLOCKS,
    encoder_block_out_channels=(8, 16, 16, 32), decoder_block_out_channels=(8, 16, 16, 32),
    encoder_qkv_multiscales=SCALES, decoder_qkv_multiscales=SCALES,
)
NETWORKS = {
    "dc_ae_sana_tiny": dict(
        encoder_layers_per_block=(1, 1, 1, 2), decoder_layers_per_block=(1, 2, 1, 1),
        upsample_block_type="interpolate", downsample_block_type="conv"),
    "dc_ae_shuffle_tiny": dict(
        encoder_layers_per_block=(0, 2, 1, 1), decoder_layers_per_block=(0, 1, 1, 1),
        upsample_block_type="pixel_shuffle", downsample_block_type="pixel_unshuffle"),
}


def draw_weights(network):
    torch.manual_seed(3)
    for name, parameter in network.named_parameters():
        noise = torch.randn_like(parameter)
        if parameter.dim() > 1:
            value = noise / parameter[0].numel() ** 0.5
        else:
            value = 0.2 * noise + (1.0 if name.endswith("weight") else 0.0)
        parameter.copy_(value.half().float())


def distance(a, b):
    return ((a - b).norm() / b.norm()).item()


@torch.no_grad()
def make(name, options, directory):
    network = AutoencoderDC(**COMMON, **options).eval()
    draw_weights(network)
    pictures = np.random.default_rng(5).integers(0, 256, (2, 32, 64, 3), dtype=np.uint8)
    half = np.float32(0.5)
    x = torch.from_numpy((pictures.astype(np.float32) / np.float32(255) - half) / half)
    x = x.permute(0, 3, 1, 2).contiguous()
    z = network.encode(x).latent
    decoded = network.decode(z).sample
    save_file({k: v.half().contiguous() for k, v in network.state_dict().items()},
              str(directory / f"{name}.safetensors"))
    with h5py.File(directory / f"{name}.h5", "w") as file:
        file.attrs["scaling_factor"] = network.config.scaling_factor
        file.attrs["torch"] = str(torch.__version__)
        file.attrs["diffusers"] = str(diffusers.__version__)
        file["inputs/pictures_u8"], file["inputs/pictures"] = pictures, x.numpy()
        file["expected/z"], file["expected/decoded"] = z.numpy(), decoded.numpy()
    network.double()
    print(f"{name}: float32 is off by {distance(z, network.encode(x.double()).latent):.1e} encoding, "
          f"{distance(decoded, network.decode(z.double()).sample):.1e} decoding")


if __name__ == "__main__":
    for network, options in NETWORKS.items():
        make(network, options, pathlib.Path(sys.argv[1]))
