// Linear maps of one input whose weights, biases and results lie at equal distances, as those of
// blocks of one layout do.
#pragma once

#include <string>
#include <vector>

#include "core/ops/cases/case_inputs.h"

namespace edt::test {

struct LinearMaps {
  LinearMaps(Backend& backend, DType dtype, std::int64_t rows, std::int64_t inputs,
             std::int64_t outputs, std::int64_t count)
      : backend_(backend), inputs_(backend, dtype) {
    const auto padded = [](std::int64_t elements) { return (elements + 127) / 128 * 128; };
    const auto part = [](const Tensor& all, std::int64_t i, const Shape& shape) {
      return Tensor{all.slice(i, i + 1).data, shape, all.dtype};
    };
    x = inputs_.tensor("x", {rows, inputs}, dtype);
    const Tensor weights =
        inputs_.tensor("weights", {count, padded(outputs * inputs + 1)}, dtype, 0.1);
    const Tensor biases = inputs_.tensor("biases", {count, padded(outputs)}, dtype);
    all_ = inputs_.output("results", {count, padded(rows * outputs)}, dtype);
    backend.zero(all_);
    for (std::int64_t i = 0; i < count; ++i) {
      calls.push_back({part(weights, i, {outputs, inputs}), part(biases, i, {outputs}),
                       part(all_, i, {rows, outputs})});
    }
  }

  std::vector<std::vector<double>> results() {
    std::vector<std::vector<double>> values;
    for (const LinearMap& map : calls) values.push_back(read_values(backend_, map.y));
    return values;
  }
  void forget_results() { backend_.zero(all_); }

  Tensor x;
  std::vector<LinearMap> calls;

 private:
  Backend& backend_;
  CaseInputs inputs_;
  Tensor all_;
};

}  // namespace edt::test
