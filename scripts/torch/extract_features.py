#!/usr/bin/env python3
"""Writes the features that a vision transformer (DINOv2, ...) gives of pictures, for `edt data import --features` and
`edt data repack --features`.

    python3 -m venv venv && venv/bin/pip install torch transformers safetensors pillow numpy    # or timm
    venv/bin/python scripts/torch/extract_features.py --pictures train --model facebook/dinov2-base --out dino --flipped
    edt data repack set set-with-features --features dinov2-b=dino

--pictures: a folder with a folder for each class, in the order of `edt data encode` (that of torchvision's ImageFolder);
one with a dataset.json, as EDM and REPA prepare it; or, with --labels, the pictures of a list, a name and a number a line.
--model: a name or folder of the library: transformers (AutoModel), timm (vit_base_patch14_dinov2.lvd142m), or hub
(facebookresearch/dinov2: dinov2_vitb14). All give the normalised tokens of the patches, without class and register tokens.

Pictures are cropped as the published extractors do, then scaled to 14/16 of --image-size, so that DINOv2's patches of 14
pixels are the squares of 16 pixels that a token of a DiT/2 stands for: 256 pixels give 16 x 16 tokens, as in REPA
(sihyun-yu/REPA train.py). timm resamples the position table once, as REPA does, transformers at each call and without
antialiasing: their tokens differ a little.

Files hold `features` [n, tokens, dims] float16, `features_flip` and `labels`. Whole ones are kept: the same command goes on.
With torchrun each process takes every n-th file.
"""
import argparse
import json
import os
import re
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file

EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which DINOv2 was trained with


def natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def is_picture(path):
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def of_list(folder, lines):
    pairs = [line.rsplit(None, 1) for line in lines if line.strip()]
    return [(folder / name, int(label)) for name, label in pairs]


def of_dataset_json(folder):
    labels = json.loads((folder / "dataset.json").read_text())["labels"]
    pairs = labels.items() if isinstance(labels, dict) else labels
    return [(folder / name, int(label)) for name, label in sorted(pairs, key=lambda p: natural(p[0]))]


def place_below(folder, path):
    parent = path.parent.relative_to(folder)
    return ("" if parent == Path(".") else str(parent), path.name)


def of_classes(folder, order):
    """Classes by name or number, in each its folders by path, in each its files by name."""
    found = []
    classes = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    classes.sort(key=natural if order == "number" else None)
    for label, name in enumerate(classes):
        below = [path for path in (folder / name).rglob("*") if path.is_file() and is_picture(path)]
        below = [path for path in below if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
        if not below:
            raise SystemExit(f"{folder / name}: a class without pictures")
        found += [(path, label) for path in sorted(below, key=lambda path: place_below(folder / name, path))]
    return found


def list_pictures(options):
    if options.labels:
        found = of_list(options.pictures, options.labels.read_text().splitlines())
    elif (options.pictures / "dataset.json").exists():
        found = of_dataset_json(options.pictures)
    else:
        found = of_classes(options.pictures, options.class_order)
    if options.left_out:
        broken = {line.split("\t")[0] for line in options.left_out.read_text().splitlines()}
        found = [(path, label) for path, label in found if str(path) not in broken]
    if not found:
        raise SystemExit(f"{options.pictures}: holds no pictures")
    return found


def cropped(path, size):
    """ADM's centre crop: halved by boxes while twice too large, then bicubic, then cut."""
    picture = Image.open(path).convert("RGB")
    while min(picture.size) >= 2 * size:
        picture = picture.resize(tuple(side // 2 for side in picture.size), resample=Image.BOX)
    scale = size / min(picture.size)
    picture = picture.resize(tuple(round(side * scale) for side in picture.size), resample=Image.BICUBIC)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return numpy.array(picture.crop((left, top, left + size, top + size)))


def inputs_of(pictures, side):
    """[n, size, size, 3] of 0 ... 255 -> what the network sees: normalised, then bicubic."""
    x = torch.from_numpy(numpy.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return torch.nn.functional.interpolate((x - mean) / deviation, size=(side, side), mode="bicubic")


class Encoder:
    """Pictures to the tokens of their patches, row by row: [n, tokens, dims]."""

    def __init__(self, options):
        self.library, self.device = options.library, options.device
        library, name, side = options.library, options.model, options.input_size
        if library == "transformers":
            from transformers import AutoModel
            self.network = AutoModel.from_pretrained(name)
            self.patch = self.network.config.patch_size
            self.prefix = 1 + getattr(self.network.config, "num_register_tokens", 0)
        elif library == "timm":
            import timm
            known = {"checkpoint_path": str(options.weights)} if options.weights else {"pretrained": True}
            known = {} if options.random_weights else known
            self.network = timm.create_model(name, num_classes=0, img_size=side, **known)
            self.patch = self.network.patch_embed.patch_size[0]
            self.prefix = self.network.num_prefix_tokens
        else:
            self.network = torch.hub.load("facebookresearch/dinov2", name)
            self.patch = self.network.patch_size
        if side % self.patch != 0:
            raise SystemExit(f"{name}: patches of {self.patch} pixels, pictures of {side}: --input-size says another size")
        self.grid = side // self.patch
        self.network = self.network.to(options.device).eval()

    @torch.inference_mode()
    def __call__(self, x):
        x = x.to(self.device)
        if self.library == "transformers":
            tokens = self.network(pixel_values=x).last_hidden_state[:, self.prefix:]
        elif self.library == "timm":
            tokens = self.network.forward_features(x)[:, self.prefix:]
        else:
            tokens = self.network.forward_features(x)["x_norm_patchtokens"]
        if tokens.shape[1] != self.grid ** 2:
            raise SystemExit(f"{tokens.shape[1]} tokens, {self.grid} x {self.grid} expected")
        return tokens.float().cpu()


def averaged(tokens, side):
    """[n, g * g, dims] -> means over squares of `side` x `side` tokens."""
    if side == 1:
        return tokens
    n, count, dims = tokens.shape
    grid = round(count ** 0.5) // side
    return tokens.view(n, grid, side, grid, side, dims).mean((2, 4)).reshape(n, grid * grid, dims)


def features_of(encoder, pictures, options):
    side = options.input_size
    stored = []
    for first in range(0, len(pictures), options.batch):
        tokens = averaged(encoder(inputs_of(pictures[first:first + options.batch], side)), options.average)
        stored.append(tokens.half())
    stored = torch.cat(stored).contiguous()
    if not torch.isfinite(stored).all():
        raise SystemExit("features are not finite in float16")
    return stored


def write_file(path, found, encoder, options):
    pictures = [cropped(name, options.image_size) for name, _ in found]
    arrays = {"features": features_of(encoder, pictures, options),
              "labels": torch.tensor([label for _, label in found], dtype=torch.int64)}
    if options.flipped:
        arrays["features_flip"] = features_of(encoder, [p[:, ::-1].copy() for p in pictures], options)
    partial = path.with_name("." + path.name + ".partial")
    save_file(arrays, partial)
    os.replace(partial, path)


def require_same_settings(options, count):
    """Files of other settings are not mixed."""
    settings = {"pictures": str(options.pictures.resolve()), "count": count, "model": options.model,
                "library": options.library, "image_size": options.image_size, "input_size": options.input_size,
                "average": options.average, "flipped": options.flipped, "samples_per_file": options.samples_per_file}
    path = options.out / ".settings.json"
    if path.exists():
        before = json.loads(path.read_text())
        for name, value in settings.items():
            if before.get(name) != value:
                raise SystemExit(f"{options.out}: {name} was {before.get(name)}, is now {value}: another --out is needed")
    path.write_text(json.dumps(settings, indent=2) + "\n")


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--labels", type=Path, help="list of pictures: a name and a number a line")
    parser.add_argument("--left-out", type=Path, help="left-out.tsv of edt data encode: pictures that are passed over")
    parser.add_argument("--model", required=True)
    parser.add_argument("--library", choices=["transformers", "timm", "hub"], default="transformers")
    parser.add_argument("--weights", type=Path, help="of timm's model, in a file; not given: the published ones")
    parser.add_argument("--random-weights", action="store_true", help="of timm's model: for checks")
    parser.add_argument("--class-order", choices=["name", "number"], default="name", help="of class folders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the features, in which nothing else lies")
    parser.add_argument("--image-size", type=int, default=256, help="side of the centre crop, in pixels")
    parser.add_argument("--input-size", type=int, help="side of what the network sees; not given: 14/16 of the crop")
    parser.add_argument("--average", type=int, default=1, help="tokens that become one, across and down")
    parser.add_argument("--flipped", action="store_true", help="those of mirrored pictures too")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--samples-per-file", type=int, default=512)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    options.input_size = options.input_size or options.image_size * 14 // 16
    return options


def main(arguments=None):
    options = parse(arguments)
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    found = list_pictures(options)
    options.out.mkdir(parents=True, exist_ok=True)
    require_same_settings(options, len(found))
    encoder = Encoder(options)
    if encoder.grid % options.average != 0:
        raise SystemExit(f"--average {options.average}: the grid is {encoder.grid} x {encoder.grid}")
    step = options.samples_per_file
    for file, first in enumerate(range(0, len(found), step)):
        path = options.out / f"features-{file:05}.safetensors"
        if file % ranks == rank and not path.exists():
            write_file(path, found[first:first + step], encoder, options)
            print(f"{path}: {min(first + step, len(found))} of {len(found)} pictures", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
