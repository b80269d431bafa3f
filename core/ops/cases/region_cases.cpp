#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string regions_text(const Shape& x, std::int64_t second, const TokenRegions& regions) {
  return fmt::format("{} and {} in {} regions, runs of {}", to_string(x), second, regions.ratio,
                     regions.run);
}

// Of what is in place, the first stream and the second one again.
OpCase split_tokens_case(const Shape& joined, std::int64_t first, const TokenRegions& regions,
                         bool is_first) {
  return {is_first ? "first_tokens" : "last_tokens", regions_text(joined, first, regions),
          [=](Tape& tape, CaseInputs& in) {
            const Var& x = in.leaf(tape, "joined", joined);
            return is_first ? first_tokens(tape, x, first, regions)
                            : last_tokens(tape, x, first, regions);
          }};
}

// Both streams are read from one value: gradients are added to each other.
OpCase split_and_joined_case(const Shape& joined, std::int64_t first, const TokenRegions& regions) {
  return {"join_tokens", regions_text(joined, first, regions) + ", taken apart and joined",
          [=](Tape& tape, CaseInputs& in) {
            const Var& x = in.leaf(tape, "joined", joined);
            const Var a = first_tokens(tape, x, first, regions);
            const Var b = last_tokens(tape, x, first, regions);
            return join_tokens(tape, a, add(tape, b, silu(tape, b)));
          }};
}

OpCase join_columns_of_two_case(const Shape& x) {
  return {"join_columns", to_string(x) + " twice", [=](Tape& tape, CaseInputs& in) {
            return join_columns(tape, in.leaf(tape, "a", x), in.leaf(tape, "b", x));
          }};
}

}  // namespace

OpCase join_tokens_case(const Shape& x, std::int64_t second, const TokenRegions& regions) {
  return {"join_tokens", regions_text(x, second, regions), [=](Tape& tape, CaseInputs& in) {
            return join_tokens(tape, in.leaf(tape, "a", x),
                               in.leaf(tape, "b", {x[0], second, x[2]}), regions);
          }};
}

void add_region_cases(OpCases& cases) {
  for (const TokenRegions& regions : {TokenRegions{1, 1}, {4, 1}, {4, 4}, {2, 3}, {3, 2}}) {
    const std::int64_t step = regions.step(), ratio = regions.ratio;
    cases.push_back(join_tokens_case({1, step, 1}, step, regions));
    cases.push_back(join_tokens_case({3, 2 * step, 13}, 3 * step, regions));
    cases.push_back(join_tokens_case({2, 5 * step, 104}, step, regions));
    for (const bool is_first : {true, false}) {
      cases.push_back(
          split_tokens_case({3 * ratio, 5 * step / ratio, 13}, 2 * step, regions, is_first));
      cases.push_back(
          split_tokens_case({2 * ratio, 3 * step / ratio, 104}, step, regions, is_first));
    }
    cases.push_back(split_and_joined_case({2 * ratio, 3 * step / ratio, 40}, step, regions));
  }
  cases.push_back(join_columns_of_two_case({1, 1, 1}));
  cases.push_back(join_columns_of_two_case({3, 5, 13}));
  cases.push_back(join_columns_of_two_case({2, 16, 104}));
}

}  // namespace edt
