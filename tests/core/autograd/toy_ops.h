// A float32 device and three ops that allocate nothing, to test the tape by itself.
#pragma once

#include <vector>

#include "core/autograd/tape.h"

namespace edt {

class ToyDevice final : public Device {
 public:
  std::string_view name() const override { return "toy"; }
  Memory& memory() override { return host_memory(); }
  void zero(const Tensor& tensor) override;
  void fill(const Tensor& tensor, double value) override;
  void copy(const Tensor& from, const Tensor& to) override;
  void add_into(const Tensor& from, const Tensor& to) override;
};

// A parameter of `size` equal values that owns its memory.
struct ToyParameter : Parameter {
  ToyParameter(std::string parameter_name, std::int64_t size, float first);
  std::vector<float> values, gradient;
};

// y = w * x, element by element.
Var scale(Tape& tape, const Var& x, Parameter& w);
// y = x^2
Var square(Tape& tape, const Var& x);
// y = x, whose backward hands the gradient on.
Var identity(Tape& tape, const Var& x);
// y = a + b
Var sum(Tape& tape, const Var& a, const Var& b);

}  // namespace edt
