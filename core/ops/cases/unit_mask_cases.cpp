#include <array>
#include <cmath>

#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

Var weights_of(Tape& tape, CaseInputs& in, std::int64_t units) {
  return parameter_rows(tape, {&in.parameter("weights", {units}, 0.6)});
}

// Bounds in which some weights lie and others do not, one of 0, and units of which all is decided.
Tensor band_of(CaseInputs& in, std::int64_t units) {
  return in.tensor("band", {3, units}, in.accurate_dtype(), [units](std::int64_t count) {
    constexpr double kBounds[] = {1, 0.5, 1, 0.25, 0, -1};
    std::vector<double> values = draw("band", count);
    for (std::int64_t i = 0; i < count; ++i) {
      double& value = values[static_cast<std::size_t>(i)];
      value = i < units ? kBounds[i % 6] : 0.5 + 0.3 * std::abs(value);
    }
    return values;
  });
}

OpCase band_mask_case(std::int64_t units) {
  return {"band_mask", fmt::format("{} units", units), [=](Tape& tape, CaseInputs& in) {
            return band_mask(tape, weights_of(tape, in, units), band_of(in, units));
          }};
}

OpCase band_sparsity_case(std::int64_t units, SparsityForm form) {
  constexpr const char* kNames[] = {"relu", "bound", "uprelu"};
  return {
      "band_sparsity", fmt::format("{} units, {}", units, kNames[static_cast<std::size_t>(form)]),
      [=](Tape& tape, CaseInputs& in) {
        const Tensor losses = in.output("losses", {3}, in.accurate_dtype());
        in.backend().zero(losses);
        return band_sparsity(tape, weights_of(tape, in, units), band_of(in, units), form, losses);
      }};
}

}  // namespace

OpCase mask_units_case(const Shape& x, std::int64_t units, std::int64_t parts) {
  return {"mask_units",
          fmt::format("{}, {} units{}", to_string(x), units,
                      parts > 1 ? fmt::format(" of {} parts", parts) : ""),
          [=](Tape& tape, CaseInputs& in) {
            std::array<Parameter*, 4> rows{};
            for (std::size_t part = 0; part < static_cast<std::size_t>(parts); ++part) {
              rows[part] = &in.parameter(fmt::format("factors{}", part), {units}, 1.0);
            }
            return mask_units(tape, in.leaf(tape, "x", x), parameter_rows(tape, rows));
          }};
}

OpCase gate_tokens_case(const Shape& x) {
  return {"gate_tokens", to_string(x), [=](Tape& tape, CaseInputs& in) {
            std::array<Parameter*, 4> rows{};
            for (std::size_t b = 0; b < static_cast<std::size_t>(x[0]); ++b) {
              rows[b] = &in.parameter(fmt::format("factors{}", b), {x[1]}, 1.0);
            }
            return gate_tokens(tape, in.leaf(tape, "x", x), parameter_rows(tape, rows));
          }};
}

OpCase silu_gate_case(const Shape& h) {
  return {"silu_gate", to_string(h),
          [=](Tape& tape, CaseInputs& in) { return silu_gate(tape, in.leaf(tape, "h", h, 2.0)); }};
}

void add_unit_mask_cases(OpCases& cases) {
  for (const std::int64_t units : {1, 6, 37, 1248}) cases.push_back(band_mask_case(units));
  for (const auto form : {SparsityForm::kRelu, SparsityForm::kBound, SparsityForm::kUprelu}) {
    cases.push_back(band_sparsity_case(6, form));
    cases.push_back(band_sparsity_case(312, form));
  }
  cases.push_back(mask_units_case({1, 4}, 4));
  cases.push_back(mask_units_case({3, 5, 12}, 3));
  cases.push_back(mask_units_case({2, 37, 21}, 21));
  cases.push_back(mask_units_case({2, 64, 312}, 6));
  // Of samples.
  cases.push_back(mask_units_case({3, 5, 12}, 3, 3));
  cases.push_back(mask_units_case({4, 16, 312}, 6, 4));
  cases.push_back(mask_units_case({2, 2, 37}, 1, 4));
  cases.push_back(gate_tokens_case({2, 3, 37}));
  cases.push_back(gate_tokens_case({4, 16, 52}));
  cases.push_back(silu_gate_case({1, 2}));
  cases.push_back(silu_gate_case({3, 5, 26}));
  cases.push_back(silu_gate_case({2, 16, 256}));
}

}  // namespace edt
