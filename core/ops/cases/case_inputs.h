// The inputs of one op case on one backend, made at first request from Philox streams keyed by
// their names and stored for later runs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/ops/backend.h"

namespace edt {

// Standard normal numbers that depend on the name only.
std::vector<double> draw(std::string_view name, std::int64_t count);

class CaseInputs {
 public:
  using Generator = std::function<std::vector<double>(std::int64_t count)>;

  struct Entry {
    std::string name;
    Block memory, grad_memory;
    Tensor value;
    std::unique_ptr<Parameter> parameter;  // for parameters
    Var leaf;                              // for leaves, during a step
    bool differentiable = false;
    bool is_output = false;
  };

  CaseInputs(Backend& backend, DType dtype) : backend_(backend), dtype_(dtype) {}

  Backend& backend() { return backend_; }
  DType dtype() const { return dtype_; }
  DType accurate_dtype() const { return dtype_ == DType::kFloat64 ? dtype_ : DType::kFloat32; }

  // Activations in the compute dtype. A leaf has a gradient, a constant has none.
  const Var& leaf(Tape& tape, std::string_view name, const Shape& shape, Generator generator);
  const Var& leaf(Tape& tape, std::string_view name, const Shape& shape, double scale = 1.0);
  const Var& constant(Tape& tape, std::string_view name, const Shape& shape, double scale = 1.0);

  Parameter& parameter(std::string_view name, const Shape& shape, double scale);

  // Plain tensors without a gradient.
  Tensor tensor(std::string_view name, const Shape& shape, DType dtype, Generator generator);
  Tensor tensor(std::string_view name, const Shape& shape, DType dtype, double scale = 1.0);
  Tensor labels(std::string_view name, const std::vector<std::int32_t>& values);
  // `visible` places of a grid, others for every sample.
  VisibleTokens visible_tokens(std::string_view name, std::int64_t batch, const TokenGrid& grid,
                               std::int64_t visible);
  // Memory that the op writes beside its result; compared like the result.
  Tensor output(std::string_view name, const Shape& shape, DType dtype);

  // What a case has made from its inputs, such as weights laid out for a backend.
  std::shared_ptr<void>& made(std::string_view name) { return made_[std::string(name)]; }

  // Forgets the leaves of a finished step and readies parameters for the next.
  void end_step();

  std::vector<std::unique_ptr<Entry>>& entries() { return entries_; }

 private:
  Entry* find(std::string_view name);
  Entry& make(std::string_view name, const Shape& shape, DType dtype);
  Entry& filled(std::string_view name, const Shape& shape, DType dtype, const Generator& generator);

  Backend& backend_;
  DType dtype_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::map<std::string, std::shared_ptr<void>> made_;
};

// A tensor's elements, widened to and rounded from double, wherever the device has them.
std::vector<double> read_values(Device& device, const Tensor& tensor);
void write_values(Device& device, const std::vector<double>& values, const Tensor& tensor);

}  // namespace edt
