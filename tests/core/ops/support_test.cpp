// A missing kernel is reported by name, and known as unsupported.
#include <gmock/gmock-matchers.h>
#include <gtest/gtest.h>

#include "core/ops/cases/case_run.h"
#include "core/reference/reference_backend.h"

namespace edt {
namespace {

// A backend that has nothing.
class EmptyBackend final : public Backend {
 public:
  std::string_view name() const override { return "empty"; }
  Memory& memory() override { return host_memory(); }
  void zero(const Tensor&) override {}
  void fill(const Tensor&, double) override {}
  void copy(const Tensor&, const Tensor&) override {}
  void add_into(const Tensor&, const Tensor&) override {}
};

TEST(Support, ReferenceHasEveryOpInEveryDtype) {
  const auto backend = make_reference_backend();
  for (const OpCase& op_case : test_cases()) {
    if (op_case.float32_only) continue;
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kFloat64}) {
      EXPECT_TRUE(supports(op_case, *backend, dtype)) << op_case.name();
    }
  }
}

TEST(Support, EmptyBackendHasNone) {
  EmptyBackend backend;
  for (const OpCase& op_case : test_cases()) {
    EXPECT_FALSE(supports(op_case, backend, DType::kFloat32)) << op_case.name();
  }
}

TEST(Support, MissingKernelIsNamed) {
  EmptyBackend backend;
  try {
    run_case(linear_case({1, 4}, 4), backend, DType::kFloat32, 1);
    FAIL() << "no error";
  } catch (const NotImplemented& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("[empty] linear_forward is not implemented"));
  }
}

}  // namespace
}  // namespace edt
