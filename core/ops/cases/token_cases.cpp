#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string text_of(const VisibleShape& s) {
  return fmt::format("{} x {} of {} tokens, {} wide", s.batch, s.visible, s.grid.tokens(), s.width);
}

VisibleTokens visible_of(CaseInputs& in, const VisibleShape& s) {
  return in.visible_tokens("visible", s.batch, s.grid, s.visible);
}

OpCase select_tokens_case(const VisibleShape& s) {
  return {"select_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            const Shape shape{s.batch, s.grid.tokens(), s.width};
            return select_tokens(tape, in.leaf(tape, "visible rows", shape),
                                 in.leaf(tape, "dropped rows", shape), visible_of(in, s));
          }};
}

}  // namespace

OpCase gather_tokens_case(const VisibleShape& s) {
  return {"gather_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return gather_tokens(tape, in.leaf(tape, "x", {s.batch, s.grid.tokens(), s.width}),
                                 visible_of(in, s));
          }};
}

OpCase restore_tokens_case(const VisibleShape& s) {
  return {"restore_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return restore_tokens(tape, in.leaf(tape, "x", {s.batch, s.visible, s.width}),
                                  visible_of(in, s), in.parameter("token", {1, 1, s.width}, 1.0));
          }};
}

OpCase add_positions_case(const Shape& x) {
  return {"add_positions", to_string(x), [=](Tape& tape, CaseInputs& in) {
            return add_positions(tape, in.leaf(tape, "x", x),
                                 in.parameter("positions", {1, x[1], x[2]}, 1.0));
          }};
}

void add_token_cases(OpCases& cases) {
  for (const VisibleShape& s : {VisibleShape{1, {2, 2}, 1, 1},
                                {3, {4, 4}, 7, 13},
                                {2, {4, 4}, 16, 8},
                                {3, {8, 8}, 35, 52},
                                {2, {3, 7}, 9, 12}}) {
    cases.push_back(gather_tokens_case(s));
    cases.push_back(restore_tokens_case(s));
    cases.push_back(select_tokens_case(s));
  }
  cases.push_back(add_positions_case({1, 1, 1}));
  cases.push_back(add_positions_case({3, 16, 13}));
  cases.push_back(add_positions_case({2, 64, 52}));
}

}  // namespace edt
