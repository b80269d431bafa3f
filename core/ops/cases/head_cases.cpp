#include <cmath>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

// Cosine and sine of any angles.
std::vector<double> turns(std::int64_t count) {
  const std::vector<double> angles = draw("angles", count / 2);
  std::vector<double> pairs;
  for (const double angle : angles) {
    pairs.insert(pairs.end(), {std::cos(3 * angle), std::sin(3 * angle)});
  }
  return pairs;
}

constexpr const char* kNormNames[] = {"no norm", "RMS norm", "layer norm"};

}  // namespace

OpCase head_transform_case(const AttentionShape& s, HeadNormCase norm, bool rotated,
                           bool by_sample) {
  return {"head_transform",
          fmt::format("{} x {} tokens, {} heads of {}, {}{}", s.batch, s.tokens, s.heads, s.size,
                      kNormNames[static_cast<int>(norm)],
                      by_sample ? ", each sample rotated"
                      : rotated ? ", rotated"
                                : ""),
          [=](Tape& tape, CaseInputs& in) {
            Var norms;
            if (norm != HeadNormCase::kNone) {
              const auto parameter = [&](const char* name) {
                return &in.parameter(name, {s.size}, 1.0);
              };
              const bool layer = norm == HeadNormCase::kLayer;
              norms = parameter_rows(tape, {parameter("q weight"), parameter("k weight"),
                                            layer ? parameter("q bias") : nullptr,
                                            layer ? parameter("k bias") : nullptr});
            }
            Tensor rotation;
            if (rotated)
              rotation =
                  in.tensor("rotation",
                            by_sample ? Shape{s.batch, s.tokens, s.size} : Shape{s.tokens, s.size},
                            in.accurate_dtype(), turns);
            return head_transform(
                tape, in.leaf(tape, "qkv", {s.batch, s.tokens, 3 * s.heads * s.size}, 1.5), s.heads,
                norms, rotation);
          }};
}

void add_head_cases(OpCases& cases) {
  using enum HeadNormCase;
  cases.push_back(head_transform_case({1, 1, 1, 4}, kNone, true));
  cases.push_back(head_transform_case({2, 9, 2, 20}, kNone, true));
  cases.push_back(head_transform_case({3, 16, 2, 64}, kNone, true));
  cases.push_back(head_transform_case({2, 9, 2, 12}, kNone, true, true));
  cases.push_back(head_transform_case({3, 8, 2, 20}, kRms, true, true));
  cases.push_back(head_transform_case({1, 4, 3, 5}, kRms, false));
  cases.push_back(head_transform_case({2, 9, 2, 12}, kRms, true));
  cases.push_back(head_transform_case({1, 16, 2, 72}, kRms, true));
  cases.push_back(head_transform_case({1, 4, 2, 160}, kRms, true));
  cases.push_back(head_transform_case({1, 4, 3, 5}, kLayer, false));
  cases.push_back(head_transform_case({2, 12, 2, 12}, kLayer, true));
  cases.push_back(head_transform_case({3, 64, 2, 64}, kLayer, true));
}

}  // namespace edt
