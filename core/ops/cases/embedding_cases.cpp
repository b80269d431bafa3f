#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

OpCase timestep_case(const std::vector<double>& times, std::int64_t features) {
  const auto batch = static_cast<std::int64_t>(times.size());
  return {"timestep_features", fmt::format("{} x {}", batch, features),
          [=](Tape& tape, CaseInputs& in) {
            const Tensor t =
                in.tensor("t", {batch}, in.accurate_dtype(), [&](std::int64_t) { return times; });
            return timestep_features(tape, t, features);
          }};
}

OpCase label_case(const std::vector<std::int32_t>& labels, std::int64_t rows, std::int64_t width) {
  return {"label_embedding",
          fmt::format("labels {}, table {} x {}", fmt::join(labels, " "), rows, width),
          [=](Tape& tape, CaseInputs& in) {
            return label_embedding(tape, in.labels("labels", labels),
                                   in.parameter("table", {rows, width}, 1.0));
          }};
}

}  // namespace

void add_embedding_cases(OpCases& cases) {
  cases.push_back(timestep_case({0, 1, 999}, 256));
  cases.push_back(timestep_case({500}, 4));
  cases.push_back(label_case({3}, 5, 4));
  cases.push_back(label_case({7, 2, 7, 10, 7}, 11, 52));  // repeated rows and unused rows
  cases.push_back(label_case({0, 1000, 999}, 1001, 13));
}

}  // namespace edt
