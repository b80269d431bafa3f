#!/usr/bin/env python3
"""Pictures and an autoencoder for them, for studies on a small machine: the emoji of a colour font.

    apt-get install fonts-noto-color-emoji unicode-data
    python3 -m venv venv && venv/bin/pip install torch diffusers safetensors pillow numpy
    venv/bin/python scripts/torch/emoji_set.py --out emoji
    edt data encode --pictures emoji/pictures --vae emoji/vae --image-size 64 --store latents --hog on --out emoji/set

Each emoji is drawn --copies times, with a place, size and ground of its own; classes are Unicode's groups (faces, animals,
food, flags, ...). Skin tones are left out: they are the same pictures again. The autoencoder is a narrow one of TAESD's kind
(convolutions alone, 1/8, 4 channels), trained on the pictures by --steps of mean square and absolute error, and saved as
diffusers saves it; its scaling_factor makes latents of deviation 1. What is drawn depends on --seed alone; what is trained, on
the machine's torch as well.
"""
import argparse
import json
import random
import time
from pathlib import Path

import numpy
from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
LIST = "/usr/share/unicode/emoji/emoji-test.txt"
STRIKE = 109  # the one size that the font has
SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}


def emoji_by_group(path):
    groups, name = {}, None
    for line in Path(path).read_text().splitlines():
        if line.startswith("# group:"):
            name = line.split(":", 1)[1].strip()
        elif "; fully-qualified" in line:
            text = "".join(chr(int(code, 16)) for code in line.split(";")[0].split())
            if not SKIN_TONES & set(text):
                groups.setdefault(name, []).append(text)
    return groups


def glyph_of(font, text):
    """The emoji alone; None where the font has none, and draws the parts of a sequence one beside the other."""
    left, top, right, bottom = font.getbbox(text)
    if right <= left or right - left > 1.3 * STRIKE * 1.25:
        return None
    glyph = Image.new("RGBA", (right, bottom))
    ImageDraw.Draw(glyph).text((0, 0), text, font=font, embedded_color=True)
    box = glyph.getbbox()
    return glyph.crop(box) if box else None


def drawn(glyph, size, rng):
    ground = tuple(rng.randrange(150, 256) for _ in range(3))
    side = rng.uniform(0.65, 0.95) * size
    scale = side / max(glyph.size)
    small = glyph.resize([max(1, round(length * scale)) for length in glyph.size], Image.LANCZOS)
    picture = Image.new("RGB", (size, size), ground)
    at = [round(rng.random() * (size - length)) for length in small.size]
    picture.paste(small, at, small)
    return picture


def draw_pictures(options, folder):
    font = ImageFont.truetype(options.font, STRIKE)
    rng = random.Random(options.seed)
    pictures = []
    for group, texts in sorted(emoji_by_group(options.list).items()):
        place = folder / group.replace(" & ", "-").replace(" ", "-").lower()
        place.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts):
            glyph = glyph_of(font, text)
            for copy in range(options.copies):
                if glyph is None:
                    break
                pictures.append(drawn(glyph, options.size, rng))
                pictures[-1].save(place / f"{number:04}-{copy}.png")
        print(f"{place.name}: {sum(1 for _ in place.iterdir())} pictures")
    return numpy.stack([numpy.asarray(picture) for picture in pictures])


def train_autoencoder(options, pictures, folder):
    import torch
    from diffusers import AutoencoderTiny

    torch.manual_seed(options.seed)
    width = (options.width,) * 4
    network = AutoencoderTiny(encoder_block_out_channels=width, decoder_block_out_channels=width,
                              num_encoder_blocks=(1, 1, 1, 1), num_decoder_blocks=(1, 1, 1, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=options.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=options.lr, total_steps=options.steps)
    data = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    order = torch.Generator().manual_seed(options.seed)
    begin = time.time()
    for step in range(options.steps):
        batch = data[torch.randint(len(data), (options.batch,), generator=order)].float() / 127.5 - 1
        latents = network.encoder(batch)
        error = network.decoder(latents) - batch
        # The decoder squeezes what is outside of -3 to 3: latents that leave for there do not come back by the error alone.
        outside = torch.nn.functional.relu(latents.abs() - 2)
        loss = error.square().mean() + 0.1 * error.abs().mean() + 0.1 * outside.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: mean square {error.square().mean():.4f} after {time.time() - begin:.0f} s", flush=True)
    with torch.no_grad():
        some = data[torch.randint(len(data), (512,), generator=order)].float() / 127.5 - 1
        deviation = network.encoder(some).std().item()
    network.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["scaling_factor"] = 1 / deviation
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures")
    parser.add_argument("--copies", type=int, default=4, help="of each emoji")
    parser.add_argument("--width", type=int, default=16, help="channels of the autoencoder's layers")
    parser.add_argument("--steps", type=int, default=1000, help="of the autoencoder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--font", default=FONT)
    parser.add_argument("--list", default=LIST, help="emoji-test.txt of Unicode")
    options = parser.parse_args()
    pictures = draw_pictures(options, options.out / "pictures")
    train_autoencoder(options, pictures, options.out / "vae")


if __name__ == "__main__":
    main()
