#include <array>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

OpCase random_logistic_case(const std::vector<std::int32_t>& samples, std::int64_t count) {
  const auto batch = static_cast<std::int64_t>(samples.size());
  return {"random_logistic", fmt::format("{} x {}", batch, count), [=](Tape& tape, CaseInputs& in) {
            Var out = tape.make({batch, count}, DType::kFloat32);
            const random::StreamKey key{.seed = 7, .purpose = random::Purpose::kGates, .step = 3};
            in.backend().random_logistic(key, in.labels("samples", samples), out.tensor());
            return out;
          }};
}

// Rows of gates, at most 4.
Var some_gates(Tape& tape, CaseInputs& in, const char* name, std::int64_t rows,
               std::int64_t columns) {
  std::array<Parameter*, 4> all{};
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    all[row] = &in.parameter(fmt::format("{}{}", name, row), {columns}, 1.0);
  }
  return parameter_rows(tape, all);
}

struct ShareShape {
  std::int64_t batch, rows, units, tokens;
};

std::vector<GatedBlock> some_blocks(Tape& tape, CaseInputs& in, const ShareShape& shape) {
  std::vector<GatedBlock> blocks;
  for (const char* const block : {"a", "b"}) {
    const auto gates = [&](const char* kind, std::int64_t columns) {
      return some_gates(tape, in, (std::string(block) + kind).c_str(), shape.rows, columns);
    };
    blocks.push_back({gates("heads", shape.units), gates("hidden", shape.units),
                      gates("tokens", shape.tokens), 0.3, 0.7});
  }
  return blocks;
}

OpCase unit_share_case(const ShareShape& shape) {
  return {"unit_share",
          fmt::format("{} of {} rows, {} units, {} tokens", shape.batch, shape.rows, shape.units,
                      shape.tokens),
          [=](Tape& tape, CaseInputs& in) {
            return unit_share(tape, some_blocks(tape, in, shape), shape.batch);
          }};
}

OpCase share_penalty_case(const ShareShape& shape) {
  return {"share_penalty", fmt::format("{} samples", shape.batch), [=](Tape& tape, CaseInputs& in) {
            const Var share = unit_share(tape, some_blocks(tape, in, shape), shape.batch);
            return share_penalty(tape, share, in.tensor("target", {1}, in.accurate_dtype()),
                                 in.output("losses", {shape.batch}, in.accurate_dtype()));
          }};
}

}  // namespace

// The gradient is not the slope of what is given: no input is moved.
OpCase unit_gate_case(const Shape& logits, std::int64_t lead, std::int64_t rows) {
  OpCase made{
      "unit_gate", fmt::format("{}, {} always open, {} rows", to_string(logits), lead, rows),
      [=](Tape& tape, CaseInputs& in) {
        const Shape draws{logits[0], logits.elements() / logits[0] + 5};
        const Tensor noise = in.tensor("noise", draws, in.accurate_dtype(), 2.0);
        return unit_gate(tape, in.leaf(tape, "logits", logits), {noise, 3, 5.0}, lead, rows);
      }};
  made.movable = [](std::string_view, std::int64_t) { return false; };
  return made;
}

void add_unit_gate_cases(OpCases& cases) {
  cases.push_back(random_logistic_case({5}, 3));
  cases.push_back(random_logistic_case({0, 77, 2147483647}, 1021));
  cases.push_back(unit_gate_case({1, 1}, 0, 1));
  cases.push_back(unit_gate_case({3, 5}, 1, 6));
  cases.push_back(unit_gate_case({2, 37, 1}, 0, 4));
  cases.push_back(unit_share_case({.batch = 1, .rows = 1, .units = 1, .tokens = 1}));
  cases.push_back(unit_share_case({.batch = 2, .rows = 4, .units = 6, .tokens = 150}));
  cases.push_back(share_penalty_case({.batch = 3, .rows = 3, .units = 4, .tokens = 9}));
}

}  // namespace edt
