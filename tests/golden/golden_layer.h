// A piece of a network by itself on any backend: its parameters with values of a file, a tape, and
// what arrives behind the gradient of its result.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/ops/backend.h"
#include "model/parameters.h"

namespace edt::test {

class GoldenLayer {
 public:
  // Values of the whole of a parameter.
  using Values = std::function<std::vector<float>(const Parameter& parameter, const Shape& whole)>;

  GoldenLayer(Backend& backend, DType dtype, TensorGroup ranks = {})
      : backend_(backend),
        arena_(backend.memory()),
        list_(ranks),
        tape_(backend, arena_, profiler_, dtype) {}

  ParameterList& list() { return list_; }
  Tape& tape() { return tape_; }
  // Once all parameters are there.
  void fill(const Values& values);

  struct Result {
    std::vector<float> output, dx;
    std::vector<std::vector<float>> gradients;  // of this rank's parts
  };
  // The layer of x, and all gradients behind `upstream` (of the result).
  Result run(const std::vector<float>& x, const Shape& shape, const std::vector<float>& upstream,
             const std::function<Var(Tape&, const Var& x)>& layer);
  std::vector<float> host(const Tensor& tensor);

 private:
  Tensor tensor(const Shape& shape, DType dtype);

  Backend& backend_;
  Arena arena_;
  Profiler profiler_;
  ParameterList list_;
  Tape tape_;
  std::vector<Block> memory_;
};

}  // namespace edt::test
