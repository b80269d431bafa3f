#include <cstring>

#include "core/base/signal_stack.h"
#include "core/cpu/cpu_backend.h"
#include "core/cpu/elementwise.h"
#include "core/cpu/kernels.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

constexpr std::int64_t kGrain = 16384;

Span span_of(const Tensor& tensor) {
  with_float_type(tensor.dtype, [](auto) {});
  return {tensor.data, tensor.dtype};
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend() {
  // A signal may reach any thread that computes.
#pragma omp parallel
  give_thread_a_signal_stack();
  return std::make_unique<CpuBackend>();
}

void CpuBackend::zero(T tensor) {
  parallel_ranges(static_cast<std::int64_t>(tensor.bytes()), 4 * kGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    std::memset(static_cast<std::byte*>(tensor.data) + begin, 0,
                                static_cast<std::size_t>(end - begin));
                  });
}

void CpuBackend::fill(T tensor, double value) {
  const Span span = span_of(tensor);
  parallel_ranges(tensor.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    edt::fill(span.from(begin), end - begin, static_cast<float>(value));
  });
}

void CpuBackend::copy(T from, T to) {
  EDT_ASSERT(from.elements() == to.elements());
  if (from.dtype == DType::kInt32 && to.dtype == DType::kInt32) {
    std::memcpy(to.data, from.data, to.bytes());
    return;
  }
  const Span source = span_of(from), target = span_of(to);
  parallel_ranges(to.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    convert(source.from(begin), target.from(begin), end - begin);
  });
}

void CpuBackend::add_into(T from, T to) {
  EDT_ASSERT(from.shape == to.shape && from.dtype == to.dtype);
  const Span source = span_of(from), target = span_of(to);
  parallel_ranges(to.elements(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    convert(source.from(begin), target.from(begin), end - begin, true);
  });
}

}  // namespace edt
