#include <fmt/ranges.h>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

std::string lengths_of(const std::vector<std::int32_t>& lengths, std::int64_t longest) {
  return fmt::format("texts of {} of {}", fmt::join(lengths, ", "), longest);
}

OpCase text_case(const char* name, Var (*op)(Tape&, const Tensor&, const Tensor&),
                 std::int64_t channels, std::int64_t longest,
                 const std::vector<std::int32_t>& lengths) {
  return {name, fmt::format("{}, {} channels", lengths_of(lengths, longest), channels),
          [=](Tape& tape, CaseInputs& in) {
            const auto batch = static_cast<std::int64_t>(lengths.size());
            return op(tape, in.tensor("features", {batch, longest, channels}, DType::kFloat32),
                      in.labels("lengths", lengths));
          }};
}

}  // namespace

OpCase cross_attention_case(const TextShape& s) {
  const auto batch = static_cast<std::int64_t>(s.lengths.size());
  return {"cross_attention",
          fmt::format("{} x {} tokens, {} heads of {}, {}", batch, s.tokens, s.heads, s.size,
                      s.lengths.size() > 4 ? fmt::format("texts of {}", s.longest)
                                           : lengths_of(s.lengths, s.longest)),
          [=](Tape& tape, CaseInputs& in) {
            const std::int64_t width = s.heads * s.size;
            return cross_attention(tape, in.leaf(tape, "q", {batch, s.tokens, width}, 1.5),
                                   in.leaf(tape, "kv", {batch, s.longest, 2 * width}, 1.5),
                                   tape.leaf(in.labels("lengths", s.lengths)), s.heads);
          }};
}

void add_text_cases(OpCases& cases) {
  for (const auto& [name, op] :
       {std::pair{"text_tokens", &text_tokens}, {"text_mean", &text_mean}}) {
    cases.push_back(text_case(name, op, 1, 1, {1}));
    cases.push_back(text_case(name, op, 5, 4, {0, 4, 3}));
    cases.push_back(text_case(name, op, 64, 17, {17, 9}));
  }
  cases.push_back(cross_attention_case({1, 1, 4, 1, {1}}));
  cases.push_back(cross_attention_case({5, 3, 5, 6, {6, 0, 1}}));
  cases.push_back(cross_attention_case({16, 2, 8, 9, {9, 4}}));
  cases.push_back(cross_attention_case({64, 2, 52, 33, {33, 7, 32}}));
  cases.push_back(cross_attention_case({37, 1, 64, 120, {120}}));
  cases.push_back(cross_attention_case({16, 1, 72, 40, {17, 40}}));
}

}  // namespace edt
