#include "core/ops/cases/op_case.h"

namespace edt {
namespace {

// Rows whose mean is several standard deviations away from zero, as residual streams have.
CaseInputs::Generator off_centre(std::int64_t width) {
  return [width](std::int64_t count) {
    std::vector<double> values = draw("x", count);
    const std::vector<double> means = draw("row means", count / width);
    for (std::int64_t i = 0; i < count; ++i) values[i] += 3.0 * means[i / width];
    return values;
  };
}

std::vector<double> bernoulli(std::int64_t count) {
  std::vector<double> mask = draw("mask", count);
  for (double& value : mask) value = value < 0.3 ? 1 : 0;
  return mask;
}

std::string chunks_text(const Shape& x, int chunks, ModulationChunks used) {
  if (used.shift == ModulationChunks::kNoShift)
    return fmt::format("{}, chunk {} of {}", to_string(x), used.scale, chunks);
  return fmt::format("{}, chunks {} and {} of {}", to_string(x), used.shift, used.scale, chunks);
}

}  // namespace

OpCase modulated_norm_case(const Shape& x, int chunks, ModulationChunks used) {
  return {"modulated_norm", chunks_text(x, chunks, used), [=](Tape& tape, CaseInputs& in) {
            const Var& modulation = in.leaf(tape, "modulation", {x[0], chunks * x[2]}, 0.5);
            return modulated_norm(tape, in.leaf(tape, "x", x, off_centre(x[2])), modulation, used);
          }};
}

namespace {

// Of layers that have no modulation.
OpCase constant_norm_case(const Shape& x) {
  return {"modulated_norm", to_string(x) + ", modulation is fixed",
          [=](Tape& tape, CaseInputs& in) {
            return modulated_norm(tape, in.leaf(tape, "x", x, off_centre(x[2])),
                                  in.constant(tape, "modulation", {x[0], 2 * x[2]}, 0.5));
          }};
}

}  // namespace

OpCase modulated_rms_norm_case(const Shape& x, int chunks, ModulationChunks used) {
  return {"modulated_rms_norm", chunks_text(x, chunks, used), [=](Tape& tape, CaseInputs& in) {
            const Var& modulation = in.leaf(tape, "modulation", {x[0], chunks * x[2]}, 0.5);
            return modulated_rms_norm(tape, in.leaf(tape, "x", x, off_centre(x[2])),
                                      in.parameter("weight", {x[2]}, 1.0), modulation, used);
          }};
}

OpCase affine_norm_case(const Shape& x, bool modulated) {
  return {"affine_norm", to_string(x) + (modulated ? "" : ", not modulated"),
          [=](Tape& tape, CaseInputs& in) {
            Var modulation;
            if (modulated) modulation = in.leaf(tape, "modulation", {x[0], 6 * x[2]}, 0.5);
            return affine_norm(tape, in.leaf(tape, "x", x, off_centre(x[2])),
                               in.parameter("weight", {x[2]}, 1.0),
                               in.parameter("bias", {x[2]}, 1.0), modulation, {3, 4});
          }};
}

OpCase merge_norm_case(const Shape& x, bool masked, const TokenGrid& grid) {
  const bool square = grid.rows == 0;
  const std::string text = to_string(x) + (square ? "" : " on " + to_string(grid));
  return {"merge_norm", text + (masked ? ", masked" : ""), [=](Tape& tape, CaseInputs& in) {
            Tensor mask;
            if (masked) mask = in.tensor("mask", {x[0], x[1]}, DType::kFloat32, bernoulli);
            return merge_norm(tape, in.leaf(tape, "x", x, off_centre(x[2])),
                              square ? covering_grid(x[1]) : grid,
                              in.leaf(tape, "modulation", {x[0], 8 * x[2]}, 0.5), mask);
          }};
}

OpCase concat_norm_case(const Shape& x) {
  return {"concat_norm", to_string(x), [=](Tape& tape, CaseInputs& in) {
            return concat_norm(tape, in.leaf(tape, "a", x, off_centre(x[2])),
                               in.leaf(tape, "b", x, 2.0),
                               in.leaf(tape, "modulation", {x[0], 4 * x[2]}, 0.5));
          }};
}

void add_norm_cases(OpCases& cases) {
  cases.push_back(modulated_norm_case({1, 1, 4}, 2, {0, 1}));
  cases.push_back(modulated_norm_case({3, 16, 52}, 6, {0, 1}));
  cases.push_back(modulated_norm_case({3, 16, 52}, 6, {3, 4}));
  cases.push_back(modulated_norm_case({3, 5, 13}, 3, {2, 0}));
  cases.push_back(modulated_norm_case({1, 64, 312}, 2, {0, 1}));
  cases.push_back(modulated_norm_case({1, 16, 936}, 2, {0, 1}));
  cases.push_back(modulated_norm_case({3, 5, 13}, 2, {ModulationChunks::kNoShift, 1}));
  cases.push_back(modulated_norm_case({2, 16, 104}, 4, {ModulationChunks::kNoShift, 2}));
  cases.push_back(modulated_rms_norm_case({1, 1, 4}, 2, {0, 1}));
  cases.push_back(modulated_rms_norm_case({3, 16, 52}, 6, {3, 4}));
  cases.push_back(modulated_rms_norm_case({3, 5, 13}, 3, {2, 0}));
  cases.push_back(modulated_rms_norm_case({3, 5, 13}, 4, {ModulationChunks::kNoShift, 2}));
  cases.push_back(modulated_rms_norm_case({2, 16, 104}, 4, {ModulationChunks::kNoShift, 0}));
  cases.push_back(modulated_rms_norm_case({1, 64, 312}, 2, {0, 1}));
  cases.push_back(modulated_rms_norm_case({1, 16, 936}, 2, {0, 1}));
  cases.push_back(constant_norm_case({3, 5, 13}));
  cases.push_back(constant_norm_case({2, 16, 104}));
  for (const bool modulated : {false, true}) {
    cases.push_back(affine_norm_case({1, 1, 4}, modulated));
    cases.push_back(affine_norm_case({3, 5, 13}, modulated));
    cases.push_back(affine_norm_case({2, 16, 104}, modulated));
    cases.push_back(affine_norm_case({1, 16, 768}, modulated));
  }
  for (const bool masked : {false, true}) {
    cases.push_back(merge_norm_case({1, 4, 4}, masked));
    cases.push_back(merge_norm_case({3, 16, 13}, masked));
    cases.push_back(merge_norm_case({3, 64, 52}, masked));
    cases.push_back(merge_norm_case({1, 16, 312}, masked));
    cases.push_back(merge_norm_case({2, 48, 52}, masked, {4, 12}));
    cases.push_back(merge_norm_case({3, 12, 13}, masked, {6, 2}));
  }
  cases.push_back(concat_norm_case({1, 1, 4}));
  cases.push_back(concat_norm_case({3, 5, 13}));
  cases.push_back(concat_norm_case({3, 16, 52}));
  cases.push_back(concat_norm_case({1, 16, 468}));
}

}  // namespace edt
