// Linear maps computed ahead: where their backward is, and what an owner of parameters sees of
// them.
#include <gtest/gtest.h>

#include "core/ops/cases/case_inputs.h"
#include "core/ops/linears_ahead.h"
#include "core/reference/reference_backend.h"

namespace edt {
namespace {

using Names = std::vector<std::string>;

struct Owner final : ParameterOwner {
  void before_read(Parameter& p) override { reads.push_back(p.name); }
  bool is_resident(const Parameter& p) const override { return p.name != arriving; }
  void before_write(Parameter& p) override { events.push_back("begin " + p.name); }
  void gradient_final(Parameter& p) override { events.push_back("final " + p.name); }
  std::string arriving;
  Names reads, events;
};

class LinearsAheadTest : public testing::Test {
 protected:
  LinearsAheadTest() { tape_.set_parameter_owner(&owner_); }

  LinearsAhead::Map map(const char* name) {
    return {&inputs_.parameter(name, {6, 4}, 0.5), nullptr};
  }
  std::vector<LinearsAhead::Map> maps() { return {map("w0"), map("w1"), map("w2")}; }
  const Var& x() { return inputs_.leaf(tape_, "x", {5, 4}); }

  // All three, one after the other, with something between them.
  Var chain(const LinearsAhead& ahead) {
    Var sum = ahead.take(tape_, 0);
    for (const std::size_t i : {1u, 2u}) sum = silu(tape_, add(tape_, sum, ahead.take(tape_, i)));
    return sum;
  }
  std::vector<std::vector<double>> step() {
    std::vector<std::vector<double>> values;
    {
      const LinearsAhead ahead(tape_, x(), maps());
      const Var y = chain(ahead);
      values.push_back(read_values(*backend_, y.tensor()));
      tape_.backward(y);
    }
    values.push_back(read_values(*backend_, tape_.grad_of(x())));
    for (const auto& [weight, bias] : maps()) {
      values.push_back(read_values(*backend_, weight->grad));
    }
    inputs_.end_step();
    tape_.clear();
    return values;
  }

  std::unique_ptr<Backend> backend_ = make_reference_backend();
  CaseInputs inputs_{*backend_, DType::kFloat32};
  Owner owner_;
  Arena arena_{backend_->memory()};
  Profiler profiler_;
  Tape tape_{*backend_, arena_, profiler_, DType::kFloat32};
};

// So that each can be sent while those before it are still computed.
TEST_F(LinearsAheadTest, GradientsAreWrittenAndFinalMapByMap) {
  step();
  EXPECT_EQ(owner_.events,
            (Names{"begin w2", "final w2", "begin w1", "final w1", "begin w0", "final w0"}));
}

TEST_F(LinearsAheadTest, ReadsAllWhereAllAreAtHand) {
  const LinearsAhead ahead(tape_, x(), maps());
  EXPECT_EQ(owner_.reads, (Names{"w0", "w1", "w2"}));
  {
    const Tape::NoGrad no_grad(tape_);
    chain(ahead);
  }
  EXPECT_EQ(owner_.reads.size(), 3u);
  inputs_.end_step();
}

// A map whose weights are on their way is waited for where it is used, and so are the others.
TEST_F(LinearsAheadTest, WaitsForNothingAhead) {
  owner_.arriving = "w2";
  const LinearsAhead ahead(tape_, x(), maps());
  EXPECT_EQ(owner_.reads, Names{});
  {
    const Tape::NoGrad no_grad(tape_);
    ahead.take(tape_, 0);
  }
  EXPECT_EQ(owner_.reads, Names{"w0"});
  inputs_.end_step();
}

TEST_F(LinearsAheadTest, SameBitsAheadAndInPlace) {
  const auto ahead = step();
  owner_.arriving = "w0";
  EXPECT_EQ(step(), ahead);
}

TEST_F(LinearsAheadTest, ResultsAreAlignedAsValuesOfTheirOwn) {
  const LinearsAhead ahead(tape_, x(), maps());  // results of 120 bytes
  {
    const Tape::NoGrad no_grad(tape_);
    for (const std::size_t i : {0u, 1u, 2u}) {
      const Var y = ahead.take(tape_, i);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(y.tensor().data) % Arena::kAlignment, 0u);
      EXPECT_EQ(y.shape(), (Shape{5, 6}));
    }
  }
  inputs_.end_step();
}

TEST_F(LinearsAheadTest, RefusesWeightsOfSeveralShapes) {
  auto unequal = maps();
  unequal[2].weight = &inputs_.parameter("wide", {7, 4}, 0.5);
  EXPECT_THROW(LinearsAhead(tape_, x(), unequal), Error);
  inputs_.end_step();
}

}  // namespace
}  // namespace edt
