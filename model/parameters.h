// The parameters of a model under their published names, in one order that flat buffers and
// checkpoints share.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "core/autograd/parameter.h"

namespace edt {

// How a tensor starts. Xavier bounds are taken from the [N, K] view of the shape.
enum class Init { kZero, kXavierUniform, kNormal002, kTruncatedNormal002 };

class ParameterList {
 public:
  Parameter& add(std::string name, const Shape& shape, Init init);

  // Addresses stay valid while the list grows.
  std::deque<Parameter>& all() { return parameters_; }
  const std::deque<Parameter>& all() const { return parameters_; }
  std::int64_t elements() const;

  // Fills `value` (float32, the parameter's elements) with the initial weights of parameter
  // `index`: a function of seed and index alone.
  void initialize(std::size_t index, std::uint64_t seed, std::span<float> value) const;

 private:
  std::deque<Parameter> parameters_;
  std::vector<Init> inits_;
};

}  // namespace edt
