"""How fast a GPU's library multiplies the matrices of EDT-XL's first stage, and how fast it copies: the ceilings of edt
on that GPU. Rows of 936 elements beside rows that begin every 960: what padding the widths would gain.

One line of JSON. Needs torch and a GPU.
"""
import argparse
import json

import torch
import torch.nn.functional as F

ROWS, WIDTH, PADDED = 128 * 256, 936, 960


def seconds(work, rounds):
    """Median of rounds, each long enough for the clock of events; operands are not left in the caches."""
    flush = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    work()
    times = []
    for _ in range(rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        flush.zero_()
        begin.record()
        work()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return sorted(times)[len(times) // 2]


def matrix(rows, columns, stride):
    """Random, of `stride` elements from row to row: zeros would draw less power."""
    return torch.randn(rows, stride, device="cuda").to(torch.bfloat16)[:, :columns]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    lines = []

    def note(name, work, flops):
        time = seconds(work, rounds)
        lines.append(dict(product=name, us=round(time * 1e6, 1), tflops=round(flops / time / 1e12, 1)))

    for outputs in (3 * WIDTH, WIDTH, 4 * WIDTH):
        flops = 2 * ROWS * WIDTH * outputs
        for stride in (WIDTH, PADDED):
            x, w = matrix(ROWS, WIDTH, stride), matrix(outputs, WIDTH, stride)
            dy = matrix(ROWS, outputs, outputs)
            bias = torch.randn(outputs, device="cuda").to(torch.bfloat16)
            size = f"{ROWS} x {outputs} x {WIDTH}, rows of {stride}"
            note(size, lambda: F.linear(x, w), flops)
            note(size + ", bias", lambda: F.linear(x, w, bias), flops)
            if outputs == 4 * WIDTH:
                note(size + ", bias and gelu", lambda: F.gelu(F.linear(x, w, bias), approximate="tanh"), flops)
            note("gradient of the weight, " + size, lambda: dy.t() @ x, flops)
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    time = seconds(lambda: target.copy_(source), rounds)
    print(json.dumps(dict(gpu=torch.cuda.get_device_name(), torch=torch.__version__,
                          copy_gbytes_per_s=round(2 * source.numel() / time / 1e9), products=lines)))


main()
