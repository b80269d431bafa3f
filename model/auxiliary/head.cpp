#include "model/auxiliary/head.h"

namespace edt {

MlpHead MlpHead::make(ParameterList& list, const std::vector<std::string>& names,
                      const std::vector<std::int64_t>& widths) {
  EDT_ASSERT(!names.empty() && widths.size() == names.size() + 1);
  MlpHead head;
  for (std::size_t i = 0; i < names.size(); ++i) {
    head.layers.push_back(Linear::make(list, names[i], widths[i + 1], widths[i]));
  }
  return head;
}

Var MlpHead::operator()(Tape& tape, const Var& tokens) const {
  Var x = layers.front()(tape, tokens);
  for (std::size_t i = 1; i < layers.size(); ++i) x = layers[i](tape, silu(tape, x));
  return x;
}

std::vector<std::string> sequential_names(const std::string& prefix, std::int64_t layers) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < layers; ++i) names.push_back(fmt::format("{}.{}", prefix, 2 * i));
  return names;
}

}  // namespace edt
