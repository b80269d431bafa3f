#include <algorithm>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

OpCase noise_target_case(const Shape& image, std::int64_t patch) {
  return {
      "noise_target", fmt::format("{}, patch {}", to_string(image), patch),
      [=](Tape& tape, CaseInputs& in) {
        const DType accurate = in.accurate_dtype();
        Var out = tape.make(
            {image[0], image[2] / patch * (image[3] / patch), patch * patch * image[1]}, accurate);
        in.backend().noise_target(in.tensor("x_start", image, accurate),
                                  in.tensor("noise", image, accurate),
                                  in.tensor("mix", {image[0], 2}, accurate), patch, out.tensor());
        return out;
      }};
}

Tensor positive(CaseInputs& in, std::string_view name, std::int64_t batch) {
  return in.tensor(name, {batch}, in.accurate_dtype(), [name](auto count) {
    std::vector<double> values = draw(name, count);
    for (double& v : values) v = 0.5 + 0.3 * std::abs(v);
    return values;
  });
}

std::string text_of(const TokenDistance& distance) {
  switch (distance.kind) {
    case Distance::kSquare:
      return "squares";
    case Distance::kDirection:
      return fmt::format("directions of {}", distance.group);
    case Distance::kCrossEntropy:
      return fmt::format("cross-entropy of {}", distance.group);
    case Distance::kAbsolute:
      return "absolute";
    case Distance::kSmoothL1:
      return fmt::format("smooth L1 within {}", distance.beta);
  }
  return "";
}

// `scale` of the tokens: 0 is what a network gives whose last layer begins at zero.
OpCase scaled_case(const Shape& tokens, const TokenDistance& distance, double scale) {
  return {
      "token_loss",
      fmt::format("{}, {}{}", to_string(tokens), text_of(distance), scale == 0 ? ", at zero" : ""),
      [=](Tape& tape, CaseInputs& in) {
        const DType accurate = in.accurate_dtype();
        const TokenLossInputs inputs{.target = tape.leaf(in.tensor("target", tokens, accurate)),
                                     .factors = positive(in, "factors", tokens[0]),
                                     .weights = positive(in, "weights", tokens[0]),
                                     .distance = distance};
        return token_loss(tape, in.leaf(tape, "tokens", tokens, scale), inputs,
                          in.output("losses", {tokens[0]}, accurate));
      }};
}

}  // namespace

OpCase token_loss_case(const Shape& tokens, const TokenDistance& distance) {
  return scaled_case(tokens, distance, 1);
}

void add_token_loss_cases(OpCases& cases) {
  cases.push_back(noise_target_case({3, 4, 6, 6}, 2));
  cases.push_back(noise_target_case({2, 5, 4, 8}, 1));
  cases.push_back(noise_target_case({1, 3, 12, 4}, 4));
  cases.push_back(token_loss_case({1, 1, 3}, {}));
  cases.push_back(token_loss_case({3, 9, 16}, {}));
  cases.push_back(token_loss_case({2, 257, 5}, {}));
  cases.push_back(token_loss_case({3, 9, 16}, {Distance::kDirection, 4}));
  cases.push_back(token_loss_case({2, 67, 32}, {Distance::kDirection, 32}));
  cases.push_back(token_loss_case({2, 33, 5}, {Distance::kAbsolute}));
  cases.push_back(token_loss_case({3, 9, 16}, {Distance::kSmoothL1, 1, 0.05}));
  cases.push_back(token_loss_case({2, 31, 7}, {Distance::kSmoothL1, 1, 1.5}));
  cases.push_back(token_loss_case(
      {3, 9, 16}, {.kind = Distance::kCrossEntropy, .group = 16, .temperature = 0.5}));
  cases.push_back(token_loss_case(
      {2, 5, 24},
      {.kind = Distance::kCrossEntropy, .group = 8, .temperature = 2, .target_temperature = 0.25}));
  OpCase at_zero = scaled_case({2, 4, 6}, {Distance::kDirection, 3}, 0);
  at_zero.movable = [](std::string_view, std::int64_t) { return false; };  // no slope is there
  cases.push_back(std::move(at_zero));
}

}  // namespace edt
