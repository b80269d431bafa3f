#!/usr/bin/env python3
"""Random-weight DINOv2s through extract_features.py and `edt data import`: every value comes back.

    python3 -m venv venv && venv/bin/pip install torch transformers timm safetensors pillow numpy h5py
    venv/bin/python scripts/torch/features_check.py --edt build/release/edt

The networks have DINOv2's structure (patches of 14, class token, layer scale, with and without registers) and few blocks.
Compared bit by bit with what the network gives of the same pictures, mirrored ones too, after import beside latents
and after `data repack`. That tokens run row by row is seen by changing one square of a picture.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy
import torch
from PIL import Image

import extract_features as extract

COUNT = {"10": 3, "9": 2, "a": 4}  # pictures of each class


def draw_pictures(folder):
    random = numpy.random.default_rng(3)
    for name, count in COUNT.items():
        for i in range(count):
            path = folder / name / ("deep" if i == 1 else "") / f"p{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 255, (70, 90, 3), dtype=numpy.uint8)).save(path)


def save_transformers(folder, registers):
    from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel
    shape = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 70, "patch_size": 14}
    if registers:
        network = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=4, **shape))
    else:
        network = Dinov2Model(Dinov2Config(**shape))
    network.save_pretrained(folder)


def edt(options, *arguments):
    subprocess.run([options.edt, "data", *map(str, arguments), "--quiet"], check=True)


def stored(folder, name):
    with h5py.File(next(folder.glob("*.h5"))) as file:
        return file[f"features/{name}"][:], file[f"features_flipped/{name}"][:], file["labels"][:]


def same(what, theirs, ours):
    ok = theirs.shape == ours.shape and (theirs == ours).all()
    print(f"{what:52} {'equal' if ok else 'DIFFERENT'} {tuple(ours.shape)}")
    return ok


def check_import(options, folder, features, wanted, mirrored, labels):
    """Through import beside latents, and through repack."""
    count = len(labels)
    latents = numpy.random.default_rng(1).normal(size=(count, 4, 8, 8)).astype("f4")
    for name, values in (("x", latents), ("xf", latents[..., ::-1].copy()), ("y", labels)):
        numpy.save(folder / f"{name}.npy", values)
    given = ["--latents", folder / "x.npy", "--flipped-latents", folder / "xf.npy", "--labels", folder / "y.npy",
             "--scaled", "on", "--classes", len(COUNT)]
    edt(options, "import", *given, "--features", f"dino={features}", "--out", folder / "set")
    edt(options, "import", *given, "--out", folder / "plain")
    edt(options, "repack", folder / "plain", folder / "added", "--features", f"dino={features}")
    ok = True
    for name in ("set", "added"):
        edt(options, "verify", folder / name)
        plain, flipped, found = stored(folder / name, "dino")
        ok = same(f"  {name}: features", wanted, plain) and same(f"  {name}: of mirrored pictures", mirrored, flipped) and ok
        ok = same(f"  {name}: labels", labels, found) and ok
    return ok


def check_rows(encoder, side):
    """The token that changes most is that of the square that was changed."""
    random = numpy.random.default_rng(5)
    picture = random.integers(0, 255, (encoder.grid * 16, encoder.grid * 16, 3), dtype=numpy.uint8)
    other = picture.copy()
    row, column = 1, encoder.grid - 1
    other[row * 16:row * 16 + 16, column * 16:column * 16 + 16] = 255 - other[row * 16:row * 16 + 16, column * 16:column * 16 + 16]
    before, after = encoder(extract.inputs_of([picture, other], side))
    place = int((after - before).norm(dim=1).argmax())
    ok = place == row * encoder.grid + column
    print(f"  a square at row {row}, column {column} is token {place}: {'yes' if ok else 'NO'}")
    return ok


def check(options, folder, library, model):
    print(f"{library} {Path(model).name}")
    torch.manual_seed(11)  # timm draws weights anew
    arguments = ["--pictures", folder / "pictures", "--model", model, "--library", library, "--image-size", 64,
                 "--out", folder / "features", "--flipped", "--batch", 2, "--samples-per-file", 4, "--device", "cpu"]
    if library == "timm":
        arguments.append("--random-weights")
    arguments = list(map(str, arguments))
    extract.main(arguments)
    parsed = extract.parse(arguments)
    torch.manual_seed(11)
    encoder = extract.Encoder(parsed)
    found = extract.list_pictures(parsed)
    pictures = [extract.cropped(path, 64) for path, _ in found]
    wanted = extract.features_of(encoder, pictures, parsed).numpy()
    mirrored = extract.features_of(encoder, [p[:, ::-1].copy() for p in pictures], parsed).numpy()
    labels = numpy.array([label for _, label in found], dtype="i4")
    ok = check_import(options, folder, folder / "features", wanted, mirrored, labels)
    return check_rows(encoder, parsed.input_size) and ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--edt", required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ok = True
    for library, kind in (("transformers", "plain"), ("transformers", "registers"), ("timm", "vit_tiny")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            draw_pictures(folder / "pictures")
            if library == "transformers":
                save_transformers(folder / kind, kind == "registers")
                ok = check(options, folder, library, str(folder / kind)) and ok
            else:
                ok = check(options, folder, library, "vit_small_patch14_dinov2") and ok
    print("all equal" if ok else "NOT equal")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
