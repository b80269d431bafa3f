// Tensors of the CPU backend for tests that call its kernels themselves, in the type of the test.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/cpu/cpu_backend.h"
#include "core/random/stream.h"

namespace edt {

class CpuTensors : public testing::TestWithParam<DType> {
 protected:
  Tensor empty(const Shape& shape) {
    Tensor tensor{nullptr, shape, GetParam()};
    tensor.data = blocks_.emplace_back(backend_->memory(), tensor.bytes()).data();
    return tensor;
  }
  Tensor filled(const Shape& shape, std::span<const float> values) {
    const Tensor tensor = empty(shape);
    backend_->upload_floats(values, tensor);
    return tensor;
  }
  // Other normal numbers in each call.
  std::vector<float> normal(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    random::fill_normal({.seed = ++seed_}, values);
    return values;
  }
  Tensor drawn(const Shape& shape) { return filled(shape, normal(shape)); }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  std::deque<Block> blocks_;
  std::uint64_t seed_ = 0;
};

}  // namespace edt
