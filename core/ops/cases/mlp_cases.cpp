#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

using FeedForward = std::function<Var(Tape&, const Var&, const MlpParameters&)>;

OpCase feed_forward_case(std::string name, const FeedForward& op, const Shape& x, std::int64_t rows,
                         std::int64_t hidden, bool fc2_bias) {
  const std::int64_t width = x.columns();
  const auto spread = [](std::int64_t n) { return 1.0 / std::sqrt(static_cast<double>(n)); };
  return {std::move(name),
          fmt::format("{}, hidden {}{}", to_string(x), hidden, fc2_bias ? "" : ", no fc2 bias"),
          [=](Tape& tape, CaseInputs& in) {
            return op(tape, in.leaf(tape, "x", x),
                      {in.parameter("fc1", {rows, width}, spread(width)),
                       in.parameter("fc1_bias", {rows}, 0.5),
                       in.parameter("fc2", {width, hidden}, spread(hidden)),
                       fc2_bias ? &in.parameter("fc2_bias", {width}, 0.5) : nullptr});
          }};
}

}  // namespace

OpCase mlp_case(const Shape& x, std::int64_t hidden, bool fc2_bias) {
  const auto op = [](Tape& tape, const Var& in, const MlpParameters& p) {
    return mlp(tape, in, p);
  };
  return feed_forward_case("mlp", op, x, hidden, hidden, fc2_bias);
}

OpCase kept_mlp_case(const Shape& x, std::int64_t hidden) {
  const auto op = [](Tape& tape, const Var& in, const MlpParameters& p) {
    return mlp(tape, in, p, KeepActivated::kYes);
  };
  return feed_forward_case("mlp_kept", op, x, hidden, hidden, true);
}

OpCase swiglu_case(const Shape& x, std::int64_t hidden, bool fc2_bias) {
  return feed_forward_case("swiglu", swiglu, x, 2 * hidden, hidden, fc2_bias);
}

void add_mlp_cases(OpCases& cases) {
  cases.push_back(mlp_case({1, 1, 4}, 16));
  cases.push_back(mlp_case({3, 5, 4}, 13));
  cases.push_back(mlp_case({3, 16, 52}, 208));
  cases.push_back(mlp_case({1, 64, 312}, 117));
  cases.push_back(mlp_case({3, 16, 52}, 104, false));
  cases.push_back(kept_mlp_case({3, 5, 4}, 13));
  cases.push_back(kept_mlp_case({3, 16, 52}, 208));
  cases.push_back(swiglu_case({1, 1, 4}, 1));
  cases.back().tolerance_factor = 2;  // of one hidden unit the roundings to bf16 do not average out
  cases.push_back(swiglu_case({3, 5, 4}, 13));
  cases.push_back(swiglu_case({3, 16, 52}, 136));
  cases.push_back(swiglu_case({1, 64, 312}, 117));
  cases.push_back(swiglu_case({3, 16, 52}, 69, false));
}

}  // namespace edt
