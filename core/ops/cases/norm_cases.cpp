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

namespace {

// The op, or the two that it stands for.
GateNorm gate_norm_of(Tape& tape, CaseInputs& in, const GateNormShape& shape, bool apart) {
  const Shape& x_shape = shape.x;
  const Shape columns{x_shape[0], 6 * x_shape[2]};
  const Var& gates = in.leaf(tape, "modulation", columns, 0.5);
  const Var& next = shape.next ? in.leaf(tape, "next", columns, 0.5) : gates;
  Parameter* const weight = shape.rms ? &in.parameter("weight", {x_shape[2]}, 1.0) : nullptr;
  const Var& x = in.leaf(tape, "x", x_shape, off_centre(x_shape[2]));
  const Var& h = in.leaf(tape, "h", x_shape);
  if (!apart) return gate_norm(tape, x, {gates, 2}, h, {weight, next, shape.norm});
  const Var sum = gate_residual(tape, x, gates, 2, h);
  return {sum, weight == nullptr ? modulated_norm(tape, sum, next, shape.norm)
                                 : modulated_rms_norm(tape, sum, *weight, next, shape.norm)};
}

}  // namespace

OpCase gate_norm_case(const GateNormShape& shape) {
  const bool shifts = shape.norm.shift != ModulationChunks::kNoShift;
  std::string text = to_string(shape.x) + (shape.rms ? ", rms" : "") +
                     (shifts ? "" : ", no shift") + (shape.next ? ", the next block's" : "");
  if (shape.read == GateNormShape::Read::kNorm) text += ", the norm is read";
  if (shape.read == GateNormShape::Read::kSum) text += ", the sum is read";
  return {"gate_norm", text, [=](Tape& tape, CaseInputs& in) {
            const GateNorm made = gate_norm_of(tape, in, shape, shape.apart);
            if (shape.read == GateNormShape::Read::kNorm) return made.normed;
            if (shape.read == GateNormShape::Read::kSum) return made.sum;
            return add(tape, made.sum, silu(tape, made.normed));
          }};
}

std::vector<GateNormShape> gate_norm_shapes() {
  using Read = GateNormShape::Read;
  constexpr int kNoShift = ModulationChunks::kNoShift;
  std::vector<GateNormShape> shapes;
  for (const bool rms : {false, true}) {
    shapes.push_back({{1, 1, 4}, rms});
    shapes.push_back({{3, 5, 13}, rms, {5, 1}, true});
    shapes.push_back({{3, 16, 52}, rms});
    shapes.push_back({{2, 16, 104}, rms, {kNoShift, 0}, true});
    shapes.push_back({{3, 5, 16}, rms, {3, 4}, false, Read::kNorm});
    shapes.push_back({{2, 17, 24}, rms, {0, 1}, true, Read::kNorm});
    shapes.push_back({{3, 5, 16}, rms, {0, 1}, false, Read::kSum});
    shapes.push_back({{1, 16, 936}, rms});
    // The sum's size, of so many elements, would be most of what finite differences see.
    shapes.push_back({{1, 64, 312}, rms, {3, 4}, false, Read::kNorm});
    shapes.push_back({{1, 3, 2080}, rms, {3, 4}, false, Read::kNorm});
  }
  return shapes;
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
  for (const GateNormShape& shape : gate_norm_shapes()) cases.push_back(gate_norm_case(shape));
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
