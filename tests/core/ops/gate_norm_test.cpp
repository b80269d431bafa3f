// Which gradients are computed follows from what is read of a gated residual and its norm.
#include <gtest/gtest.h>

#include <set>

#include "core/ops/activation.h"
#include "core/ops/cases/case_inputs.h"
#include "core/ops/cases/op_case.h"
#include "core/ops/gate_norm.h"
#include "core/reference/reference_backend.h"

namespace edt {
namespace {

using Read = GateNormShape::Read;

struct Backward {
  std::set<std::string_view> scopes;
  bool reaches_input = false;
};

// Of silu of what is read, or of the input alone.
Backward backward_of(std::optional<Read> read) {
  const auto backend = make_reference_backend();
  Arena arena(backend->memory());
  Profiler profiler;
  Tape tape(*backend, arena, profiler, DType::kFloat32);
  CaseInputs inputs(*backend, DType::kFloat32);
  const Var h = silu(tape, inputs.leaf(tape, "h", {2, 3, 8}));
  const Var& modulation = inputs.leaf(tape, "modulation", {2, 48});
  const GateNorm made = gate_norm(tape, h, {modulation, 2}, h, {nullptr, modulation, {3, 4}});
  const Var other = silu(tape, inputs.leaf(tape, "other", {2, 3, 8}));
  profiler.reset();
  tape.backward(!read ? other : *read == Read::kSum ? made.sum : made.normed);
  Backward seen;
  for (const Profiler::Entry& entry : profiler.entries()) {
    if (entry.calls > 0 && entry.name.starts_with("gate_")) seen.scopes.insert(entry.name);
  }
  seen.reaches_input = tape.grad_of(inputs.leaf(tape, "h", {2, 3, 8})).defined();
  inputs.end_step();
  return seen;
}

TEST(GateNormBackward, IsOfBothWhereTheNormIsRead) {
  const Backward seen = backward_of(Read::kNorm);
  EXPECT_EQ(seen.scopes, (std::set<std::string_view>{"gate_norm.backward"}));
  EXPECT_TRUE(seen.reaches_input);
}

TEST(GateNormBackward, IsTheGatesWhereTheSumAloneIs) {
  const Backward seen = backward_of(Read::kSum);
  EXPECT_EQ(seen.scopes, (std::set<std::string_view>{"gate_residual.backward"}));
  EXPECT_TRUE(seen.reaches_input);
}

TEST(GateNormBackward, IsNothingWhereNeitherIs) {
  const Backward seen = backward_of(std::nullopt);
  EXPECT_EQ(seen.scopes, std::set<std::string_view>());
  EXPECT_FALSE(seen.reaches_input);
}

}  // namespace
}  // namespace edt
