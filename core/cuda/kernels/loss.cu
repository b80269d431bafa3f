// One token tensor as wide as a patch: double arithmetic is free here. In nats, per element,
//   KL = 0.5 (l - l0 - 1 + exp(l0 - l) + (m0 - m)^2 exp(-l)),  l the model's log variance;
//   at t = 0: -log of the normal's mass in the 1/255 bin around x_0, by the tanh approximation.
#include "core/cuda/kernels/loss.h"

#include "core/cuda/kernels/loss_coefficients.h"
#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256;
constexpr double kLog2 = 0.69314718055994531;

struct Bound {
  double value, slope;  // in nats, and its derivative by the log variance
};

__device__ Bound kl_bound(double m0, double l0, double m, double l) {
  const double ratio = exp(l0 - l), distance = (m0 - m) * (m0 - m) * exp(-l);
  return {0.5 * (l - l0 - 1.0 + ratio + distance), 0.5 * (1.0 - ratio - distance)};
}

// Approximate normal distribution function at z, and z times its derivative.
__device__ Bound cdf(double z) {
  constexpr double kScale = 0.79788456080286535588, kCubic = 0.044715;
  const double t = tanh(kScale * z * (1.0 + kCubic * z * z));
  return {0.5 * (1.0 + t), 0.5 * (1.0 - t * t) * kScale * (1.0 + 3.0 * kCubic * z * z) * z};
}

__device__ Bound decoder_bound(double x, double m, double l) {
  constexpr double kHalfBin = 1.0 / 255.0, kEdge = 0.999, kFloor = 1e-12;
  const double inverse_std = exp(-0.5 * l);
  const Bound high = cdf((x - m + kHalfBin) * inverse_std);
  const Bound low = cdf((x - m - kHalfBin) * inverse_std);
  // The bins at both ends are open.
  const bool open_below = x<-kEdge, open_above = x> kEdge;
  const double mass = (open_above ? 1.0 : high.value) - (open_below ? 0.0 : low.value);
  if (mass < kFloor) return {-log(kFloor), 0.0};
  const double dmass = (open_above ? 0.0 : high.slope) - (open_below ? 0.0 : low.slope);
  return {-log(mass), 0.5 * dmass / mass};  // dz/dl = -z/2
}

template <class T>
struct Pixel {
  std::int64_t image, token;  // elements; the variance is `channels` on
  double noise, predicted, v;

  __device__ Pixel(const LossCall& call, std::int64_t sample, int pixel) {
    const int height = call.height, width = call.width, patch = call.patch;
    const int rows = height / patch, columns = width / patch;
    const int x = pixel % width, y = pixel / width % height, c = pixel / (height * width);
    image = sample * call.channels * height * width + pixel;
    const std::int64_t patch_at = (sample * rows + y / patch) * columns + x / patch;
    token = ((patch_at * patch + y % patch) * patch + x % patch) * 2 * call.channels + c;
    const T* tokens = static_cast<const T*>(call.tokens);
    noise = call.noise[image];
    predicted = to_float(tokens[token]);
    v = to_float(tokens[token + call.channels]);
  }

  // The slope is by the variance output v.
  __device__ Bound bound(const LossCall& call, const float* k) const {
    const double span = static_cast<double>(k[loss::kLogVarianceMax]) - k[loss::kLogVarianceMin];
    const double l = k[loss::kLogVarianceMin] + 0.5 * (v + 1.0) * span;
    const double x_t = call.x_t[image], x_start = call.x_start[image];
    const double start =
        k[loss::kSqrtRecipAlphaBar] * x_t - k[loss::kSqrtRecipM1AlphaBar] * predicted;
    const double from_noisy = k[loss::kPosteriorMean2] * x_t;
    const double m = k[loss::kPosteriorMean1] * start + from_noisy;
    const double m0 = k[loss::kPosteriorMean1] * x_start + from_noisy;
    Bound bound = k[loss::kIsFirstStep] != 0 ? decoder_bound(x_start, m, l)
                                             : kl_bound(m0, k[loss::kLogVarianceMin], m, l);
    bound.slope *= 0.5 * span;
    return bound;
  }
};

// A block for each sample.
template <class T>
__global__ void __launch_bounds__(kThreads) loss_forward(LossCall call, float* mse, float* vb) {
  __shared__ double shared[kThreads];
  const std::int64_t sample = blockIdx.x;
  const float* k = call.coefficients + sample * loss::kCount;
  const int pixels = call.channels * call.height * call.width;
  double squares = 0, nats = 0;
  for (int p = threadIdx.x; p < pixels; p += kThreads) {
    const Pixel<T> pixel(call, sample, p);
    const double error = pixel.noise - pixel.predicted;
    squares += error * error;
    if (k[loss::kVbWeight] != 0) nats += pixel.bound(call, k).value;
  }
  squares = block_total<kThreads>(squares, shared);
  nats = block_total<kThreads>(nats, shared);
  if (threadIdx.x != 0) return;
  mse[sample] = static_cast<float>(k[loss::kMseWeight] * squares / pixels);
  vb[sample] = static_cast<float>(k[loss::kVbWeight] * nats / (pixels * kLog2));
}

// By one block: each thread its samples in order, then the threads' sums by halves.
__global__ void __launch_bounds__(kThreads)
    mean_of(const float* mse, const float* vb, const float* weights, std::int64_t batch,
            float* mean) {
  __shared__ double shared[kThreads];
  double total = 0;
  for (std::int64_t b = threadIdx.x; b < batch; b += kThreads) {
    total += weights[b] * (static_cast<double>(mse[b]) + vb[b]) / static_cast<double>(batch);
  }
  total = block_total<kThreads>(total, shared);
  if (threadIdx.x == 0) mean[0] = static_cast<float>(total);
}

// dpredicted = dmean w/B mse_weight/n 2 (predicted - noise);
// dv = dmean w/B vb_weight/(n ln 2) slope. The bound's mean is detached.
template <class T>
__global__ void __launch_bounds__(kThreads)
    loss_backward(LossCall call, const float* dmean, T* dtokens, bool accumulate) {
  const int pixels = call.channels * call.height * call.width;
  const int p = blockIdx.x * kThreads + threadIdx.x;
  if (p >= pixels) return;
  const std::int64_t sample = blockIdx.y;
  const float* k = call.coefficients + sample * loss::kCount;
  const Pixel<T> pixel(call, sample, p);
  const double scale = static_cast<double>(dmean[0]) * call.sample_weights[sample] /
                       static_cast<double>(call.batch) / pixels;
  const double error = pixel.predicted - pixel.noise;
  const float dpredicted[1] = {static_cast<float>(scale * k[loss::kMseWeight] * 2.0 * error)};
  float dv[1] = {0};
  if (k[loss::kVbWeight] != 0) {
    dv[0] = static_cast<float>(scale * k[loss::kVbWeight] / kLog2 * pixel.bound(call, k).slope);
  }
  put<1>(dtokens + pixel.token, dpredicted, accumulate);
  put<1>(dtokens + pixel.token + call.channels, dv, accumulate);
}

}  // namespace

void launch_loss_forward(cudaStream_t stream, const LossCall& call, float* mse, float* vb,
                         float* mean) {
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "diffusion_loss forward", static_cast<unsigned>(call.batch), kThreads},
           loss_forward<T>, call, mse, vb);
  });
  launch({stream, "diffusion_loss forward", 1, kThreads}, mean_of, mse, vb, call.sample_weights,
         call.batch, mean);
}

void launch_loss_backward(cudaStream_t stream, const LossCall& call, const float* dmean,
                          void* dtokens, bool accumulate) {
  const int pixels = call.channels * call.height * call.width;
  const dim3 grid(static_cast<unsigned>(divide_up(pixels, kThreads)),
                  static_cast<unsigned>(call.batch));
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "diffusion_loss backward", grid, kThreads}, loss_backward<T>, call, dmean,
           static_cast<T*>(dtokens), accumulate);
  });
}

}  // namespace edt
