#include "tests/core/autograd/toy_ops.h"

#include <algorithm>

namespace edt {
namespace {

void put(const GradTarget& into, std::size_t i, float value) {
  float& element = into.tensor.span<float>()[i];
  element = into.accumulate ? element + value : value;
}

}  // namespace

void ToyDevice::zero(const Tensor& tensor) { fill(tensor, 0); }
void ToyDevice::fill(const Tensor& tensor, double value) {
  std::ranges::fill(tensor.span<float>(), static_cast<float>(value));
}
void ToyDevice::copy(const Tensor& from, const Tensor& to) {
  std::ranges::copy(from.span<float>(), to.span<float>().begin());
}
void ToyDevice::add_into(const Tensor& from, const Tensor& to) {
  for (std::size_t i = 0; i < to.span<float>().size(); ++i) {
    to.span<float>()[i] += from.span<float>()[i];
  }
}

ToyParameter::ToyParameter(std::string parameter_name, std::int64_t size, float first)
    : values(static_cast<std::size_t>(size), first), gradient(values.size(), 1e30f) {
  name = std::move(parameter_name);
  shape = {size};
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += 0.01f * static_cast<float>(i);
  value = view_of(std::span(values), shape);
  grad = view_of(std::span(gradient), shape);
}

Var scale(Tape& tape, const Var& x, Parameter& w) {
  Var y = tape.make(x.shape());
  const auto in = x.tensor().span<float>(), factor = tape.read(w).span<float>();
  for (std::size_t i = 0; i < in.size(); ++i) y.tensor().span<float>()[i] = factor[i] * in[i];
  tape.record("scale", y, {&w}, [x, dx = x.grad(), &w](Tape& t, OutputGrad& dy) {
    const GradTarget into_w = t.target(w), into_x = t.target(dx);
    const auto factors = t.read(w).span<float>();
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const float d = dy.tensor().span<float>()[i];
      put(into_w, i, d * x.tensor().span<float>()[i]);
      if (into_x.wanted()) put(into_x, i, d * factors[i]);
    }
  });
  return y;
}

Var square(Tape& tape, const Var& x) {
  Var y = tape.make(x.shape());
  const auto in = x.tensor().span<float>();
  for (std::size_t i = 0; i < in.size(); ++i) y.tensor().span<float>()[i] = in[i] * in[i];
  tape.record("square", y, {}, [x](Tape& t, OutputGrad& dy) {
    const GradTarget into = t.target(x.grad());
    for (std::size_t i = 0; i < dy.tensor().span<float>().size(); ++i) {
      put(into, i, 2 * x.tensor().span<float>()[i] * dy.tensor().span<float>()[i]);
    }
  });
  return y;
}

Var identity(Tape& tape, const Var& x) {
  Var y = tape.make(x.shape());
  tape.device().copy(x.tensor(), y.tensor());
  tape.record("identity", y, {}, [dx = x.grad()](Tape&, OutputGrad& dy) { dy.give_to(dx); });
  return y;
}

Var sum(Tape& tape, const Var& a, const Var& b) {
  Var y = tape.make(a.shape());
  tape.device().copy(a.tensor(), y.tensor());
  tape.device().add_into(b.tensor(), y.tensor());
  tape.record("sum", y, {}, [da = a.grad(), db = b.grad()](Tape& t, OutputGrad& dy) {
    const GradTarget into = t.target(da);
    for (std::size_t i = 0; i < dy.tensor().span<float>().size(); ++i) {
      if (into.wanted()) put(into, i, dy.tensor().span<float>()[i]);
    }
    dy.give_to(db);
  });
  return y;
}

}  // namespace edt
