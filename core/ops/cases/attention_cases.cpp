#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string text_of(const AttentionShape& s) {
  const std::string tokens = s.wide.rows > 0 ? to_string(s.wide) : fmt::format("{}", s.tokens);
  return fmt::format("{} x {} tokens, {} heads of {}", s.batch, tokens, s.heads, s.size);
}

Shape qkv_shape(const AttentionShape& s) { return {s.batch, s.tokens, 3 * s.heads * s.size}; }

}  // namespace

OpCase attention_case(const AttentionShape& s, std::int64_t spare_rows) {
  std::string text = text_of(s);
  if (spare_rows > 0) text += fmt::format(", {} unused table rows", spare_rows);
  return {"attention", text, [=](Tape& tape, CaseInputs& in) {
            return attention(
                tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                in.parameter("table", {s.grid().distances() + spare_rows, s.heads}, 1.0), s.grid());
          }};
}

OpCase plain_attention_case(const AttentionShape& s) {
  return {"plain_attention", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return plain_attention(tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5), s.heads);
          }};
}

OpCase visible_attention_case(const AttentionShape& s, const TokenGrid& grid,
                              std::int64_t spare_rows) {
  return {"visible_attention", fmt::format("{} of {}", text_of(s), to_string(grid)),
          [=](Tape& tape, CaseInputs& in) {
            return visible_attention(
                tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                in.parameter("table", {grid.distances() + spare_rows, s.heads}, 1.0),
                in.visible_tokens("visible", s.batch, grid, s.tokens));
          }};
}

OpCase modulated_attention_case(const AttentionShape& s) {
  OpCase op_case{"modulated_attention", text_of(s), [=](Tape& tape, CaseInputs& in) {
                   const Tensor modulation =
                       in.tensor("modulation", {s.tokens, s.tokens}, in.accurate_dtype());
                   return attention(tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                                    in.parameter("table", {s.grid().distances(), s.heads}, 1.0),
                                    s.grid(), modulation);
                 }};
  op_case.inference = true;
  return op_case;
}

void add_attention_cases(OpCases& cases) {
  cases.push_back(attention_case({1, 1, 1, 4}));
  cases.push_back(attention_case({1, 9, 3, 5}));
  cases.push_back(attention_case({1, 16, 2, 4}, 3));
  cases.push_back(attention_case({3, 16, 1, 8}));
  cases.push_back(attention_case({3, 16, 6, 52}));
  cases.push_back(attention_case({1, 16, 2, 72}));
  cases.push_back(attention_case({3, 64, 2, 52}));
  cases.push_back(attention_case({1, 64, 1, 64}));
  cases.push_back(attention_case({1, 256, 1, 52}));
  cases.push_back(attention_case({1, 1024, 1, 52}));
  cases.back().float32_only = true;
  cases.push_back(plain_attention_case({1, 4, 1, 4}));
  cases.push_back(plain_attention_case({3, 16, 2, 64}));
  cases.push_back(plain_attention_case({2, 64, 2, 72}));
  cases.push_back(plain_attention_case({2, 12, 2, 8}));  // of no square grid
  cases.push_back(plain_attention_case({1, 40, 1, 64}));
  cases.push_back(visible_attention_case({1, 1, 1, 4}, TokenGrid::square(2), 0));
  cases.push_back(visible_attention_case({3, 7, 2, 8}, TokenGrid::square(4), 3));
  cases.push_back(visible_attention_case({2, 16, 1, 64}, TokenGrid::square(4), 3));
  cases.push_back(visible_attention_case({2, 35, 2, 72}, TokenGrid::square(8), 3));
  cases.push_back(visible_attention_case({1, 153, 1, 64}, TokenGrid::square(16), 3));
  // Wide and high pictures, of rows that are and are not multiples of a vector.
  cases.push_back(attention_case({2, 6, 2, 8, {2, 3}}, 1));
  cases.push_back(attention_case({3, 32, 2, 52, {2, 16}}));
  // P and dS may be rounded to bf16, and what is accumulated cancels by a digit of its parts.
  cases.back().tolerance_factor = 1.5;
  cases.push_back(attention_case({1, 32, 1, 64, {16, 2}}));
  cases.push_back(attention_case({1, 128, 1, 52, {8, 16}}));
  cases.push_back(attention_case({2, 144, 1, 64, {9, 16}}));
  cases.push_back(attention_case({1, 512, 1, 52, {32, 16}}, 2));  // two blocks of keys on a GPU
  cases.push_back(attention_case({1, 40, 3, 8, {5, 8}}));
  cases.push_back(attention_case({1, 288, 1, 52, {9, 32}}));
  cases.push_back(attention_case({1, 5, 1, 72, {1, 5}}));
  cases.back().tolerance_factor =
      2;  // of a table of 9 numbers roundings to bf16 do not average out
  // Sequences: one row.
  cases.push_back(attention_case({3, 20, 4, 8, {1, 20}}, 3));
  cases.push_back(attention_case({1, 150, 1, 64, {1, 150}}, 3));
  cases.push_back(visible_attention_case({3, 13, 4, 8}, {1, 20}, 3));
  cases.push_back(visible_attention_case({1, 97, 1, 64}, {1, 150}, 3));
  cases.push_back(visible_attention_case({3, 7, 2, 8}, {3, 5}, 3));
  cases.push_back(visible_attention_case({2, 70, 1, 64}, {8, 16}, 0));
  cases.push_back(visible_attention_case({2, 33, 1, 52}, {16, 4}, 3));
  cases.push_back(modulated_attention_case({1, 16, 2, 8}));
  cases.push_back(modulated_attention_case({3, 64, 2, 52}));
  cases.push_back(modulated_attention_case({1, 256, 1, 52}));
  cases.push_back(modulated_attention_case({2, 32, 2, 52, {4, 8}}));
}

}  // namespace edt
