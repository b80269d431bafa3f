// gelu (tanh form) and silu with their derivatives, by one exponential each, and relu. Backward
// computes some values again: to the same bits, so what is to be rounded once says fmaf.
#pragma once

namespace edt {

// s = 1 / (1 + exp(-x)) and 1 - s, both without cancellation. The clamp keeps exp finite.
struct Sigmoid {
  float value, rest;

  __device__ explicit Sigmoid(float x) {
    const float e = __expf(fminf(-x, 80.0f));
    value = __fdividef(1.0f, 1.0f + e);
    rest = e * value;
  }
};

// 0.5 x (1 + tanh u) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3)
struct Gelu {
  static constexpr float kTwice = 1.5957691216057308f, kCubic = 0.044715f;  // 2 sqrt(2/pi)

  __device__ static float value(float x) {
    return x * Sigmoid(kTwice * x * fmaf(kCubic * x, x, 1.0f)).value;
  }
  __device__ static float slope(float x) {
    const Sigmoid s(kTwice * x * fmaf(kCubic * x, x, 1.0f));
    return fmaf(x * s.value * s.rest * kTwice, fmaf(3.0f * kCubic * x, x, 1.0f), s.value);
  }
};

// silu' = s (1 + x (1 - s))
struct Silu {
  __device__ static float value(float x) { return x * Sigmoid(x).value; }
  __device__ static float slope(float x) {
    const Sigmoid s(x);
    return s.value * fmaf(x, s.rest, 1.0f);
  }
};

struct Relu {
  __device__ static float value(float x) { return fmaxf(x, 0.0f); }
  __device__ static float slope(float x) { return x > 0 ? 1.0f : 0.0f; }
};

}  // namespace edt
