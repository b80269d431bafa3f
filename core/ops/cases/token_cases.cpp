#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string text_of(const KeptShape& s) {
  return fmt::format("{} x {} of {} tokens, {} wide", s.batch, s.kept, s.grid * s.grid, s.width);
}

KeptTokens kept_of(CaseInputs& in, const KeptShape& s) {
  return in.kept_tokens("kept", s.batch, s.grid, s.kept);
}

OpCase select_tokens_case(const KeptShape& s) {
  return {"select_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            const Shape shape{s.batch, s.grid * s.grid, s.width};
            return select_tokens(tape, in.leaf(tape, "kept rows", shape),
                                 in.leaf(tape, "dropped rows", shape), kept_of(in, s));
          }};
}

}  // namespace

OpCase gather_tokens_case(const KeptShape& s) {
  return {"gather_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return gather_tokens(tape, in.leaf(tape, "x", {s.batch, s.grid * s.grid, s.width}),
                                 kept_of(in, s));
          }};
}

OpCase restore_tokens_case(const KeptShape& s) {
  return {"restore_tokens", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return restore_tokens(tape, in.leaf(tape, "x", {s.batch, s.kept, s.width}),
                                  kept_of(in, s), in.parameter("token", {1, 1, s.width}, 1.0));
          }};
}

OpCase add_positions_case(const Shape& x) {
  return {"add_positions", to_string(x), [=](Tape& tape, CaseInputs& in) {
            return add_positions(tape, in.leaf(tape, "x", x),
                                 in.parameter("positions", {1, x[1], x[2]}, 1.0));
          }};
}

void add_token_cases(OpCases& cases) {
  for (const KeptShape& s : {KeptShape{1, 2, 1, 1}, {3, 4, 7, 13}, {2, 4, 16, 8}, {3, 8, 35, 52}}) {
    cases.push_back(gather_tokens_case(s));
    cases.push_back(restore_tokens_case(s));
    cases.push_back(select_tokens_case(s));
  }
  cases.push_back(add_positions_case({1, 1, 1}));
  cases.push_back(add_positions_case({3, 16, 13}));
  cases.push_back(add_positions_case({2, 64, 52}));
}

}  // namespace edt
