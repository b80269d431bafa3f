#!/usr/bin/env python3
"""Judges the same pictures by edt evaluate, pytorch-fid and torch-fidelity with the same Inception weights, and says
how far their figures are apart.

    python3 -m venv venv && venv/bin/pip install pytorch-fid torch-fidelity safetensors pillow
    venv/bin/python scripts/torch/fid_agreement.py --edt build/release/edt --inception inception.safetensors

--inception: as docs/evaluation.md makes it; any weights of those names and shapes do. Without --samples and --reference
(folders of PNGs), two sets are drawn. torch-fidelity scales as ADM's evaluator, pytorch-fid in its own way, and edt as
each of them. Parts and subsets are whole sets, as the others shuffle theirs. Exit status 1 where what is known of their
arithmetic (roots of a product of covariances, float32) does not explain the distance.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file

# Of the value: features in float32 everywhere; what both others do with covariances of fewer pictures than features is
# off by 1e-4 alone.
TOLERANCE = {"fid": 1e-3, "inception_score": 1e-4, "kid": 1e-3, "precision": 0, "recall": 0}


def drawn(folder, seed, count):
    """Waves of `count` colours and lengths, with noise."""
    random = numpy.random.default_rng(seed)
    folder.mkdir()
    y, x = numpy.mgrid[0:64, 0:64]
    for i in range(count):
        a, b, phase = random.uniform(3, 20, 3), random.uniform(3, 20, 3), random.uniform(0, 6, 3)
        waves = numpy.stack([numpy.sin(x / a[c] + y / b[c] + phase[c]) for c in range(3)], -1)
        values = 127.5 + 100 * waves + random.normal(0, 10 + 10 * seed, waves.shape)
        Image.fromarray(values.clip(0, 255).astype(numpy.uint8)).save(folder / f"{i:05}.png")
    return folder


def by_edt(options, samples, reference, resize, count):
    command = [options.edt, "evaluate", samples, "--reference", reference, "--inception", options.inception, "--resize",
               resize, "--score-part", count, "--kid-size", count, "--kid-subsets", 1, "--json"]
    printed = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL).stdout
    figures = json.loads(printed)
    return {"fid": figures["fid"]["value"], "inception_score": figures["inception_score"]["value"],
            "kid": figures["kid"]["value"], "precision": figures["precision"], "recall": figures["recall"]}


def by_pytorch_fid(weights, samples, reference):
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: weights
    value = fid_score.calculate_fid_given_paths([str(reference), str(samples)], 8, torch.device("cpu"), 2048, 0)
    return {"fid": float(value)}


def by_torch_fidelity(weights, samples, reference, count, folder):
    import torch_fidelity

    torch.save(weights, folder / "inception.pth")
    found = torch_fidelity.calculate_metrics(
        input1=str(samples), input2=str(reference), cuda=False, isc=True, fid=True, kid=True, prc=True, isc_splits=1,
        feature_extractor="inception-v3-compat",
        kid_subsets=1, kid_subset_size=count, prc_batch_size=count, batch_size=8, cache=False, verbose=False,
        save_cpu_ram=True, feature_extractor_weights_path=str(folder / "inception.pth"))
    return {"fid": found["frechet_inception_distance"], "inception_score": found["inception_score_mean"],
            "kid": found["kernel_inception_distance_mean"], "precision": found["precision"],
            "recall": found["recall"]}


def compare(name, theirs, ours):
    ok = True
    for figure, value in theirs.items():
        apart = abs(ours[figure] - value) / max(abs(value), 1e-12)
        good = apart <= TOLERANCE[figure]
        ok = ok and good
        print(f"{name:15} {figure:16} {value:14.7g}  edt {ours[figure]:14.7g}  {apart:.1e} apart"
              f"{'' if good else f', more than {TOLERANCE[figure]:g}'}")
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--edt", required=True)
    parser.add_argument("--inception", required=True)
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--count", type=int, default=64, help="of pictures that are drawn")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    weights = load_file(options.inception)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = options.samples or drawn(folder / "samples", 1, options.count)
        reference = options.reference or drawn(folder / "reference", 2, options.count)
        count = min(len(list(path.glob("*.png"))) for path in (samples, reference))
        theirs = by_torch_fidelity(weights, samples, reference, count, folder)
        ok = compare("torch-fidelity", theirs, by_edt(options, samples, reference, "adm", count))
        theirs = by_pytorch_fid(weights, samples, reference)
        ok = compare("pytorch-fid", theirs, by_edt(options, samples, reference, "pytorch-fid", count)) and ok
    print("their arithmetic explains it" if ok else "more than their arithmetic explains")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
