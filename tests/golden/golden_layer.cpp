#include "tests/golden/golden_layer.h"

namespace edt::test {

Tensor GoldenLayer::tensor(const Shape& shape, DType dtype) {
  Tensor made{nullptr, shape, dtype};
  made.data = memory_.emplace_back(backend_.memory(), made.bytes()).data();
  return made;
}

void GoldenLayer::fill(const Values& values) {
  for (std::size_t i = 0; i < list_.all().size(); ++i) {
    Parameter& parameter = list_.all()[i];
    std::vector<float> part(static_cast<std::size_t>(parameter.shape.elements()));
    list_.shards()[i].take(values(parameter, list_.shards()[i].logical), part);
    parameter.value = tensor(parameter.shape, tape_.dtype());
    backend_.upload_floats(part, parameter.value);
    parameter.grad = tensor(parameter.shape, tape_.accurate_dtype());
  }
}

GoldenLayer::Result GoldenLayer::run(const std::vector<float>& x, const Shape& shape,
                                     const std::vector<float>& upstream,
                                     const std::function<Var(Tape&, const Var& x)>& layer) {
  const Tensor input = tensor(shape, tape_.dtype());
  backend_.upload_floats(x, input);
  Result result;
  {
    const Var leaf = tape_.leaf(input, true), y = layer(tape_, leaf);
    result.output = host(y.tensor());
    backend_.upload_floats(upstream, tape_.target(y.grad()).tensor);
    tape_.backward();
    result.dx = host(tape_.grad_of(leaf));
  }
  tape_.clear();
  for (Parameter& parameter : list_.all()) {
    result.gradients.push_back(host(parameter.grad));
    parameter.pending_uses = 0;
    parameter.grad_written = false;
  }
  return result;
}

std::vector<float> GoldenLayer::host(const Tensor& of) {
  std::vector<float> values(static_cast<std::size_t>(of.elements()));
  const Block block(backend_.memory(), values.size() * sizeof(float));
  const Tensor accurate{block.data(), of.shape, DType::kFloat32};
  backend_.copy(of, accurate);
  backend_.download(accurate, values.data());
  return values;
}

}  // namespace edt::test
