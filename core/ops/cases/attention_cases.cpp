#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string text_of(const AttentionShape& s) {
  return fmt::format("{} x {} tokens, {} heads of {}", s.batch, s.tokens, s.heads, s.size);
}

std::int64_t table_rows(std::int64_t tokens) {
  const auto span = 2 * std::lround(std::sqrt(static_cast<double>(tokens))) - 1;
  return span * span;
}

Shape qkv_shape(const AttentionShape& s) { return {s.batch, s.tokens, 3 * s.heads * s.size}; }

}  // namespace

OpCase attention_case(const AttentionShape& s, std::int64_t spare_rows) {
  std::string text = text_of(s);
  if (spare_rows > 0) text += fmt::format(", {} unused table rows", spare_rows);
  return {"attention", text, [=](Tape& tape, CaseInputs& in) {
            return attention(
                tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                in.parameter("table", {table_rows(s.tokens) + spare_rows, s.heads}, 1.0));
          }};
}

OpCase plain_attention_case(const AttentionShape& s) {
  return {"plain_attention", text_of(s), [=](Tape& tape, CaseInputs& in) {
            return plain_attention(tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5), s.heads);
          }};
}

OpCase kept_attention_case(const AttentionShape& s, std::int64_t grid, std::int64_t spare_rows) {
  return {"kept_attention", fmt::format("{} of {}", text_of(s), grid * grid),
          [=](Tape& tape, CaseInputs& in) {
            return kept_attention(
                tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                in.parameter("table", {table_rows(grid * grid) + spare_rows, s.heads}, 1.0),
                in.kept_tokens("kept", s.batch, grid, s.tokens));
          }};
}

OpCase modulated_attention_case(const AttentionShape& s) {
  OpCase op_case{"modulated_attention", text_of(s), [=](Tape& tape, CaseInputs& in) {
                   const Tensor modulation =
                       in.tensor("modulation", {s.tokens, s.tokens}, in.accurate_dtype());
                   return attention(tape, in.leaf(tape, "qkv", qkv_shape(s), 1.5),
                                    in.parameter("table", {table_rows(s.tokens), s.heads}, 1.0),
                                    modulation);
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
  cases.push_back(kept_attention_case({1, 1, 1, 4}, 2, 0));
  cases.push_back(kept_attention_case({3, 7, 2, 8}, 4, 3));
  cases.push_back(kept_attention_case({2, 16, 1, 64}, 4, 3));
  cases.push_back(kept_attention_case({2, 35, 2, 72}, 8, 3));
  cases.push_back(kept_attention_case({1, 153, 1, 64}, 16, 3));
  cases.push_back(modulated_attention_case({1, 16, 2, 8}));
  cases.push_back(modulated_attention_case({3, 64, 2, 52}));
  cases.push_back(modulated_attention_case({1, 256, 1, 52}));
}

}  // namespace edt
