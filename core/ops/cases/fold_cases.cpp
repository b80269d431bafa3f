#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string fold_text(const Shape& x, const TokenGrid& grid, std::int64_t side) {
  return fmt::format("{} on {}, squares of {}", to_string(x), to_string(grid), side);
}

// Of one value twice: gradients are added to each other.
OpCase folded_twice_case(const Shape& x, const TokenGrid& grid, std::int64_t side) {
  return {"fold_tokens", fold_text(x, grid, side) + ", there and back",
          [=](Tape& tape, CaseInputs& in) {
            const Var& input = in.leaf(tape, "x", x);
            const Var folded = fold_tokens(tape, input, grid, side);
            return add(tape, input, unfold_tokens(tape, silu(tape, folded), grid, side));
          }};
}

}  // namespace

OpCase fold_tokens_case(const Shape& x, const TokenGrid& grid, std::int64_t side) {
  return {"fold_tokens", fold_text(x, grid, side), [=](Tape& tape, CaseInputs& in) {
            return fold_tokens(tape, in.leaf(tape, "x", x), grid, side);
          }};
}

OpCase unfold_tokens_case(const Shape& x, const TokenGrid& grid, std::int64_t side) {
  return {"unfold_tokens", fold_text(x, grid, side), [=](Tape& tape, CaseInputs& in) {
            return unfold_tokens(tape, in.leaf(tape, "x", x), grid, side);
          }};
}

void add_fold_cases(OpCases& cases) {
  cases.push_back(fold_tokens_case({1, 4, 1}, {2, 2}, 2));
  cases.push_back(fold_tokens_case({3, 16, 13}, {4, 4}, 4));
  cases.push_back(fold_tokens_case({2, 24, 52}, {4, 6}, 2));
  cases.push_back(fold_tokens_case({2, 18, 8}, {6, 3}, 3));
  cases.push_back(unfold_tokens_case({1, 1, 4}, {2, 2}, 2));
  cases.push_back(unfold_tokens_case({3, 1, 208}, {4, 4}, 4));
  cases.push_back(unfold_tokens_case({2, 6, 52}, {4, 6}, 2));
  cases.push_back(unfold_tokens_case({2, 2, 72}, {6, 3}, 3));
  cases.push_back(folded_twice_case({2, 16, 12}, {4, 4}, 2));
}

}  // namespace edt
