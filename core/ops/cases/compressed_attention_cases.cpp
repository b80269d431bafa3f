#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

// Numbers that keep away from zero, where f has no slope: finite differences would see both sides.
CaseInputs::Generator away_from_zero(std::string_view name) {
  return [name = std::string(name)](std::int64_t count) {
    std::vector<double> values = draw(name, count);
    for (double& value : values) value += value < 0 ? -0.01 : 0.01;
    return values;
  };
}

}  // namespace

OpCase token_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t inputs,
                              std::int64_t outputs) {
  return {"token_convolution",
          fmt::format("{} x {}, {} -> {}", batch, to_string(grid), inputs, outputs),
          [=](Tape& tape, CaseInputs& in) {
            return token_convolution(tape, in.leaf(tape, "x", {batch, grid.tokens(), inputs}),
                                     in.parameter("weight", {outputs, inputs, 3, 3}, 0.3),
                                     in.parameter("bias", {outputs}, 1.0), grid);
          }};
}

OpCase depthwise_convolution_case(std::int64_t batch, const TokenGrid& grid, std::int64_t channels,
                                  std::int64_t stride) {
  return {"depthwise_convolution",
          fmt::format("{} x {}, {} wide, stride {}", batch, to_string(grid), channels, stride),
          [=](Tape& tape, CaseInputs& in) {
            return depthwise_convolution(tape, in.leaf(tape, "x", {batch, grid.tokens(), channels}),
                                         in.parameter("weight", {channels, 1, 3, 3}, 0.3),
                                         in.parameter("bias", {channels}, 1.0), grid, stride);
          }};
}

OpCase token_group_norm_case(const Shape& x, std::int64_t groups) {
  return {"token_group_norm", fmt::format("{} in {} groups", to_string(x), groups),
          [=](Tape& tape, CaseInputs& in) {
            return token_group_norm(tape, in.leaf(tape, "x", x),
                                    in.parameter("weight", {x[2]}, 1.0),
                                    in.parameter("bias", {x[2]}, 0.3), groups);
          }};
}

OpCase kernel_attention_case(const AttentionShape& s, std::int64_t keys) {
  return {"kernel_attention",
          fmt::format("{} x {} of {}, {} x {}", s.batch, s.tokens, keys, s.heads, s.size),
          [=](Tape& tape, CaseInputs& in) {
            const std::int64_t width = s.heads * s.size;
            return kernel_attention(
                tape, in.leaf(tape, "q", {s.batch, s.tokens, width}, away_from_zero("q")),
                in.leaf(tape, "k", {s.batch, keys, width}, away_from_zero("k")),
                in.leaf(tape, "v", {s.batch, keys, width}), s.heads);
          }};
}

void add_compressed_attention_cases(OpCases& cases) {
  cases.push_back(token_convolution_case(1, {1, 1}, 3, 2));
  cases.push_back(token_convolution_case(2, {4, 4}, 12, 3));
  cases.push_back(token_convolution_case(3, {3, 5}, 8, 17));
  cases.push_back(token_convolution_case(2, {6, 2}, 20, 20));
  for (const std::int64_t stride : {1, 2, 3}) {
    cases.push_back(depthwise_convolution_case(1, {1, 1}, 2, stride));
    cases.push_back(depthwise_convolution_case(2, {4, 4}, 13, stride));
    cases.push_back(depthwise_convolution_case(3, {5, 7}, 24, stride));
  }
  cases.push_back(token_group_norm_case({1, 4, 2}, 1));
  cases.push_back(token_group_norm_case({3, 9, 12}, 3));
  cases.push_back(token_group_norm_case({2, 30, 26}, 2));
  cases.push_back(token_group_norm_case({2, 16, 20}, 20));
  cases.push_back(kernel_attention_case({1, 9, 1, 4}, 9));
  cases.push_back(kernel_attention_case({2, 16, 3, 8}, 4));
  cases.push_back(kernel_attention_case({3, 35, 2, 13}, 12));
  cases.push_back(kernel_attention_case({1, 70, 2, 52}, 40));
}

}  // namespace edt
