// A token tensor as wide as a patch: double arithmetic is free here. Logits may be thousands: a
// warp shares those of a group, in single precision. Formulas: core/reference/token_loss.cpp.
#include "core/cuda/kernels/token_loss.h"

#include "core/cuda/kernels/reduce.cuh"
#include "core/cuda/kernels/vector.cuh"

namespace edt {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

struct Angle {
  double y_norm, z_norm, cosine;
  bool is_nobodys;  // y is too short to have a direction
};

template <class T>
__device__ Angle angle_of(const T* y, const float* z, int n, double floor) {
  double yy = 0, zz = 0, yz = 0;
  for (int i = 0; i < n; ++i) {
    const double a = to_float(y[i]), b = z[i];
    yy += a * a, zz += b * b, yz += a * b;
  }
  const double y_norm = sqrt(yy), z_norm = sqrt(zz);
  Angle angle;
  angle.is_nobodys = y_norm < floor;
  angle.y_norm = angle.is_nobodys ? floor : y_norm;
  angle.z_norm = z_norm < floor ? floor : z_norm;
  angle.cosine = yz / (angle.y_norm * angle.z_norm);
  return angle;
}

__device__ bool is_direction(const TokenLossCall& call) {
  return call.measure == TokenMeasure::kDirection;
}

// Of one value that is off by `error`.
__device__ double distance_of(const TokenLossCall& call, double error) {
  const double size = fabs(error);
  if (call.measure == TokenMeasure::kAbsolute) return size;
  if (call.measure == TokenMeasure::kSmoothL1)
    return size < call.beta ? size * size / (2 * call.beta) : size - call.beta / 2;
  return error * error;
}

__device__ double slope_of(const TokenLossCall& call, double error) {
  const double sign = error > 0 ? 1 : error < 0 ? -1 : 0;
  if (call.measure == TokenMeasure::kAbsolute) return sign;
  if (call.measure == TokenMeasure::kSmoothL1)
    return fabs(error) < call.beta ? error / call.beta : sign;
  return 2 * error;
}

// A block for each sample.
template <class T>
__global__ void __launch_bounds__(kThreads) token_loss_forward(TokenLossCall call, float* losses) {
  __shared__ double shared[kThreads];
  const std::int64_t sample = blockIdx.x;
  const T* y = static_cast<const T*>(call.tokens) + sample * call.values;
  const float* z = call.target + sample * call.values;
  const int groups = is_direction(call) ? call.values / call.group : call.values;
  double sum = 0;
  for (int i = threadIdx.x; i < groups; i += kThreads) {
    if (is_direction(call)) {
      sum += 1 - angle_of(y + i * call.group, z + i * call.group, call.group, call.floor).cosine;
    } else {
      sum += distance_of(call, static_cast<double>(to_float(y[i])) - z[i]);
    }
  }
  sum = block_total<kThreads>(sum, shared);
  if (threadIdx.x == 0) {
    losses[sample] = static_cast<float>(call.factors[sample] * sum / groups);
  }
}

// By one block: each thread its samples in order, then the threads' sums by halves.
__global__ void __launch_bounds__(kThreads)
    weighted_mean(const float* losses, const float* weights, std::int64_t batch, float* mean) {
  __shared__ double shared[kThreads];
  double total = 0;
  for (std::int64_t b = threadIdx.x; b < batch; b += kThreads) {
    total += static_cast<double>(weights[b]) * losses[b] / static_cast<double>(batch);
  }
  total = block_total<kThreads>(total, shared);
  if (threadIdx.x == 0) mean[0] = static_cast<float>(total);
}

// A thread for each value, or for each group that has a direction.
template <class T>
__global__ void __launch_bounds__(kThreads)
    token_loss_backward(TokenLossCall call, const float* dmean, T* dtokens, bool accumulate) {
  const int group = is_direction(call) ? call.group : 1, groups = call.values / group;
  const int index = blockIdx.x * kThreads + threadIdx.x;
  if (index >= groups) return;
  const std::int64_t sample = blockIdx.y, first = sample * call.values + index * group;
  const T* y = static_cast<const T*>(call.tokens) + first;
  const float* z = call.target + first;
  const double scale = static_cast<double>(dmean[0]) / static_cast<double>(call.batch) *
                       call.weights[sample] * call.factors[sample] / groups;
  if (!is_direction(call)) {
    const float slope[1] = {
        static_cast<float>(scale * slope_of(call, static_cast<double>(to_float(y[0])) - z[0]))};
    put<1>(dtokens + first, slope, accumulate);
    return;
  }
  const Angle angle = angle_of(y, z, group, call.floor);
  for (int i = 0; i < group; ++i) {
    const double turned = angle.cosine * to_float(y[i]) / angle.y_norm - z[i] / angle.z_norm;
    const float slope[1] = {angle.is_nobodys ? 0.f
                                             : static_cast<float>(scale * turned / angle.y_norm)};
    put<1>(dtokens + first + i, slope, accumulate);
  }
}

// Of the logits of a group at a temperature, as each lane of a warp knows it: exp((x - most) *
// inverse) / sum.
struct Softmax {
  float most, sum, inverse;
  __device__ float raised(float x) const { return expf((x - most) * inverse); }
};

template <class T>
__device__ Softmax softmax_of(const T* x, int n, double temperature) {
  const int lane = threadIdx.x % 32;
  Softmax softmax{to_float(x[0]), 0, static_cast<float>(1 / temperature)};
  for (int i = lane; i < n; i += 32) softmax.most = fmaxf(softmax.most, to_float(x[i]));
  for (int offset = 16; offset > 0; offset /= 2) {
    softmax.most = fmaxf(softmax.most, __shfl_xor_sync(0xffffffffu, softmax.most, offset));
  }
  float sum = 0;
  for (int i = lane; i < n; i += 32) sum += softmax.raised(to_float(x[i]));
  softmax.sum = warp_sum(sum);
  return softmax;
}

// A block for each sample, whose warps share its groups.
template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_forward(TokenLossCall call, float* losses) {
  __shared__ float shared[32];
  const int lane = threadIdx.x % 32, n = call.group, groups = call.values / n;
  const std::int64_t sample = blockIdx.x;
  float total[1] = {0};
  for (int group = threadIdx.x / 32; group < groups; group += kWarps) {
    const std::int64_t first = sample * call.values + static_cast<std::int64_t>(group) * n;
    const T* y = static_cast<const T*>(call.tokens) + first;
    const float* z = call.target + first;
    const Softmax q = softmax_of(y, n, call.temperature),
                  p = softmax_of(z, n, call.target_temperature);
    const float log_sum = logf(q.sum);
    float sum = 0;
    for (int i = lane; i < n; i += 32) {
      sum -= p.raised(z[i]) / p.sum * ((to_float(y[i]) - q.most) * q.inverse - log_sum);
    }
    sum = warp_sum(sum);
    if (lane == 0) total[0] += sum;
  }
  block_sum<1>(total, shared);
  if (threadIdx.x == 0) {
    losses[sample] = call.factors[sample] * total[0] / static_cast<float>(groups);
  }
}

// A warp for each group.
template <class T>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_backward(TokenLossCall call, const float* dmean, T* dtokens, bool accumulate) {
  const int n = call.group, groups = call.values / n;
  const int group = blockIdx.x * kWarps + threadIdx.x / 32;
  if (group >= groups) return;
  const std::int64_t sample = blockIdx.y;
  const std::int64_t first = sample * call.values + static_cast<std::int64_t>(group) * n;
  const T* y = static_cast<const T*>(call.tokens) + first;
  const float* z = call.target + first;
  const Softmax q = softmax_of(y, n, call.temperature),
                p = softmax_of(z, n, call.target_temperature);
  const float scale = dmean[0] / static_cast<float>(call.batch) * call.weights[sample] *
                      call.factors[sample] / static_cast<float>(groups) * q.inverse;
  for (int i = threadIdx.x % 32; i < n; i += 32) {
    const float more = q.raised(to_float(y[i])) / q.sum - p.raised(z[i]) / p.sum;
    const float slope[1] = {scale * more};
    put<1>(dtokens + first + i, slope, accumulate);
  }
}

__global__ void __launch_bounds__(kThreads) noise_target(NoiseTargetCall call, float* target) {
  const int width = call.width, height = call.height, patch = call.patch;
  const int values = call.channels * height * width;
  const int pixel = blockIdx.x * kThreads + threadIdx.x;
  if (pixel >= values) return;
  const std::int64_t sample = blockIdx.y;
  const int x = pixel % width, y = pixel / width % height, c = pixel / (height * width);
  const int token = y / patch * (width / patch) + x / patch;
  const int cell = y % patch * patch + x % patch;
  const std::int64_t first = sample * values;
  target[first + (token * patch * patch + cell) * call.channels + c] =
      call.mix[2 * sample] * call.x_start[first + pixel] +
      call.mix[2 * sample + 1] * call.noise[first + pixel];
}

dim3 grid_of(int values, std::int64_t batch) {
  return dim3(static_cast<unsigned>(divide_up(values, kThreads)), static_cast<unsigned>(batch));
}

}  // namespace

void launch_noise_target(cudaStream_t stream, const NoiseTargetCall& call, float* target) {
  const int values = call.channels * call.height * call.width;
  launch({stream, "noise_target", grid_of(values, call.batch), kThreads}, noise_target, call,
         target);
}

void launch_token_loss_forward(cudaStream_t stream, const TokenLossCall& call, float* losses,
                               float* mean) {
  const bool of_logits = call.measure == TokenMeasure::kCrossEntropy;
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "token_loss forward", static_cast<unsigned>(call.batch), kThreads},
           of_logits ? cross_entropy_forward<T> : token_loss_forward<T>, call, losses);
  });
  launch({stream, "token_loss forward", 1, kThreads}, weighted_mean, losses, call.weights,
         call.batch, mean);
}

void launch_token_loss_backward(cudaStream_t stream, const TokenLossCall& call, const float* dmean,
                                void* dtokens, bool accumulate) {
  if (call.measure == TokenMeasure::kCrossEntropy) {
    const dim3 grid(static_cast<unsigned>(divide_up(call.values / call.group, kWarps)),
                    static_cast<unsigned>(call.batch));
    with_element(call.dtype, [&]<class T>(T) {
      launch({stream, "token_loss backward", grid, kThreads}, cross_entropy_backward<T>, call,
             dmean, static_cast<T*>(dtokens), accumulate);
    });
    return;
  }
  const bool grouped = call.measure == TokenMeasure::kDirection;
  const int groups = grouped ? call.values / call.group : call.values;
  with_element(call.dtype, [&]<class T>(T) {
    launch({stream, "token_loss backward", grid_of(groups, call.batch), kThreads},
           token_loss_backward<T>, call, dmean, static_cast<T*>(dtokens), accumulate);
  });
}

}  // namespace edt
