#include "core/ops/linears_ahead.h"

#include <algorithm>

#include "core/ops/backend.h"
#include "core/ops/checks.h"

namespace edt {
namespace {

std::int64_t aligned_elements(const Shape& shape, DType dtype) {
  const auto step = static_cast<std::int64_t>(Arena::kAlignment / size_of(dtype));
  return (shape.elements() + step - 1) / step * step;
}

}  // namespace

LinearsAhead::LinearsAhead(Tape& tape, const Var& x, std::vector<Map> maps)
    : x_(x), maps_(std::move(maps)) {
  if (maps_.size() < 2 || !is_resident(tape)) return;
  shape_ = linear_shape(x, *maps_[0].weight);
  const auto count = static_cast<std::int64_t>(maps_.size());
  results_ = tape.make({count, aligned_elements(shape_, x.dtype())});
  std::vector<LinearMap> calls;
  double flops = 0;
  for (std::size_t i = 0; i < maps_.size(); ++i) {
    const auto [weight, bias] = maps_[i];
    check_shape("linears", weight->name, weight->shape, maps_[0].weight->shape);
    check_linear(x, *weight, bias);
    calls.push_back(
        {as_weight(tape.read(*weight)), bias ? tape.read(*bias) : Tensor{}, as_matrix(result(i))});
    flops += linear_flops(x, *weight);
  }
  const Profiler::Scope scope(tape.profiler(), "linear.forward", flops);
  backend_of(tape).linears_forward(as_matrix(x.tensor()), calls);
}

bool LinearsAhead::is_resident(const Tape& tape) const {
  return std::ranges::all_of(maps_, [&](const Map& map) {
    return map.weight->ternary == nullptr && tape.is_resident(*map.weight) &&
           (map.bias == nullptr || tape.is_resident(*map.bias));
  });
}

Tensor LinearsAhead::result(std::size_t i) const {
  const Tensor all = results_.tensor();
  const auto at = static_cast<std::int64_t>(i);
  Tensor part = all.slice(at, at + 1);
  part.shape = shape_;
  return part;
}

Var LinearsAhead::take(Tape& tape, std::size_t i) const {
  const auto [weight, bias] = maps_[i];
  if (!results_) return linear(tape, x_, *weight, bias);
  const Var y = tape.view(results_, result(i));
  record_linear(tape, y, x_, *weight, bias);
  return y;
}

}  // namespace edt
