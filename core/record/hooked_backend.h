// A backend that hands all its work to another one, and lets somebody stand around each call of a
// kernel that steps use: who records what kernels read and write, and tests that spoil it.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/ops/backend.h"

namespace edt {

// A tensor that a kernel is given, or columns of one.
struct KernelOperand {
  // Those of the n-th argument count from n * kPlaces, from 0, whether or not others are there.
  static constexpr std::int64_t kPlaces = 8;
  std::int64_t place = 0;
  Tensor tensor;
  std::int64_t column = 0, width = 0;  // width 0: the whole tensor
};

// Runs a kernel with the arguments that it was called with.
class KernelRun {
 public:
  template <class F>
  explicit KernelRun(F& run)
      : run_(&run), call_([](void* run_of_f) { (*static_cast<F*>(run_of_f))(); }) {}
  void operator()() const { call_(run_); }

 private:
  void* run_;
  void (*call_)(void*);
};

class KernelHook {
 public:
  virtual ~KernelHook() = default;
  // Whether call() is wanted now; else kernels run as if nobody was there.
  virtual bool listens() const = 0;
  // Calls `run` once, which runs the kernel.
  virtual void call(std::string_view kernel, std::span<const KernelOperand> read,
                    std::span<const KernelOperand> written, const KernelRun& run) = 0;
  // Around what the backend makes.
  virtual std::unique_ptr<Optimizer> around(std::unique_ptr<Optimizer> optimizer) {
    return optimizer;
  }
};

// `backend` outlives it.
std::unique_ptr<Backend> make_hooked_backend(Backend& backend, std::unique_ptr<KernelHook> hook);

}  // namespace edt
