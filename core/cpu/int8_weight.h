// A weight [N, K] in 8-bit integers for oneDNN: row n is scale[n] * q[n], q from -127 to 127. A row
// with a value that is not finite has a scale that is none: so has all that is computed with it.
#pragma once

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "core/tensor/tensor.h"

namespace edt {

// The largest integer of an activation: 255; 127 where a sum of two products of bytes would not
// fit in the 16 bits that a processor without VNNI keeps them in.
int largest_quantum();

class Int8Weight {
 public:
  // `weight`, float32 or bf16, must outlive this.
  explicit Int8Weight(const Tensor& weight);

  std::int64_t outputs() const { return weight_.shape[0]; }
  std::int64_t inputs() const { return weight_.shape[1]; }
  // Of the rows: their scales, and the sums of their integers.
  const float* scales() const { return scales_.data(); }
  const float* sums() const { return sums_.data(); }
  // products [count, N] = rows [count, K] q^T, exact.
  void multiply(std::uint8_t* rows, std::int64_t count, std::int32_t* products);

 private:
  struct Product {
    dnnl::matmul primitive;
    dnnl::memory rows, products;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  std::vector<std::int8_t> integers() const;
  Product make(std::int64_t count);
  // In this layout, made once.
  const dnnl::memory& laid_out_as(const dnnl::memory::desc& layout);

  Tensor weight_;
  std::vector<float> scales_, sums_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<dnnl::memory> layouts_;
  std::map<std::int64_t, Product> products_;  // by the number of rows
};

}  // namespace edt
